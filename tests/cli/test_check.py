"""`schema check` and `schema diff`: against a folder, a git revision and Redis, in all formats."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from omniq_typed.cli.reports import Format, Outcome, written
from omniq_typed.schema.compatibility.check import Direction, Finding, Report
from omniq_typed.schema.compatibility.compare import Break
from omniq_typed.schema.proving.proof import Proof
from tests.cli.conftest import Project
from tests.servers import Server

V1 = "number: int"
COMPATIBLE = "number: int; note: str | None = None"
BREAKING = "number: int; currency: str"


@pytest.fixture
def exported(project: Project) -> Project:
    """orders.created v1 in the folder, and committed."""
    project.write_orders(V1)
    project.run("schema", "export", "app:bus")
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "first")
    return project


def git(project: Project, *arguments: str) -> None:
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *who, *arguments], cwd=project.root, env=environment, check=True)


def set_index(project: Project, **settings: Any) -> None:
    path = project.root / "schemas/index.json"
    index = json.loads(path.read_text())
    index["types"]["orders.created"].update(settings)
    path.write_text(json.dumps(index))


@pytest.mark.parametrize("against", ["", "schemas", "git:HEAD", "git:HEAD:schemas", "git:master~0"])
def test_a_compatible_version_passes(exported: Project, against: str) -> None:
    git(exported, "branch", "--force", "--move", "master")
    exported.write_orders(COMPATIBLE, version=2)
    source = ("--against", against) if against else ()
    said = exported.run("schema", "check", "app:bus", *source).stdout
    assert said.endswith(f"1 message type compared with {against or 'schemas'}: compatible\n")


def test_a_break_is_told_with_rule_place_example_and_what_to_do(exported: Project) -> None:
    exported.write_orders(BREAKING, version=2)
    said = exported.run("schema", "check", "app:bus", status=1).stdout.splitlines()
    assert said[0] == "orders.created v2: v2 does not read all that v1 wrote (app.py:11)"
    assert said[1] == "  break field_required at /currency"
    assert said[-1] == "1 message type compared with schemas: 1 break"
    assert any(line.startswith('    such as {"number": ') for line in said)
    (todo,) = [line for line in said if line.startswith("  What to do: ")]
    assert "@upcast from v1" in todo and '{"version": 2, "rule": "field_required"' in todo


def test_json_for_programs(exported: Project) -> None:
    exported.write_orders(BREAKING, version=2)
    report = json.loads(
        exported.run("schema", "check", "app:bus", "--format", "json", status=1).stdout
    )
    (finding,) = report.pop("findings")
    assert report == {
        "against": "schemas",
        "types": ["orders.created v2"],
        "ok": False,
        "compared": 1,
        "notes": [],
    }
    assert finding.pop("example").keys() == {"number"}
    assert finding.pop("message")
    assert finding == {
        "name": "orders.created",
        "new_version": 2,
        "old_version": 1,
        "direction": "backward",
        "rule": "field_required",
        "pointer": "/currency",
        "proof": "no",
        "waived": None,
        "file": "app.py",
        "line": 11,
    }


def test_a_waiver_is_noted_and_passes(exported: Project) -> None:
    exported.write_orders(BREAKING, version=2)
    set_index(exported, waivers=[{"version": 2, "rule": "field_required", "reason": "unused, yet"}])
    for against in ("schemas", "git:HEAD"):
        said = exported.run("schema", "check", "app:bus", "--against", against).stdout
        assert "waived field_required at /currency" in said and "waived: unused, yet" in said
        assert said.endswith(f"compared with {against}: compatible, 1 waived\n")
        assert "What to do" not in said
    said = exported.run("schema", "check", "app:bus", "--format", "github").stdout
    assert said.startswith("::notice file=app.py,line=11,title=")
    report = json.loads(exported.run("schema", "check", "app:bus", "--format", "json").stdout)
    assert report["ok"] and report["findings"][0]["waived"] == "unused, yet"


@pytest.mark.parametrize(
    ("mode", "status"),
    [("FORWARD", 0), ("none", 0), ("full_transitive", 1), ("BACKWARD", 1)],
)
def test_the_mode_decides_which_way_is_asked(exported: Project, mode: str, status: int) -> None:
    exported.write_orders(BREAKING, version=2)
    exported.run("schema", "check", "app:bus", "--mode", mode, status=status)
    set_index(exported, mode=mode.upper())
    exported.run("schema", "check", "app:bus", "--against", "git:HEAD", status=status)


def test_each_registry_has_upcasts_of_its_own(exported: Project) -> None:
    exported.write_orders(BREAKING, version=2)
    exported.write(
        "billing.py",
        """
        from pydantic import BaseModel
        from omniq_typed import Registry, message

        registry = Registry()

        @message("invoices.due", registry=registry)
        class InvoiceDue(BaseModel):
            text: str
        """,
    )
    said = exported.run("schema", "check", "app:bus", "billing:registry", status=1).stdout
    assert said.endswith("2 message types compared with schemas: 1 break\n")
    upcast = """
        @upcast(OrderCreated, from_version=1, registry=registry)
        def all_were_in_euros(order: dict[str, Any]) -> dict[str, Any]:
            return {**order, "currency": "EUR"}
    """
    exported.write_orders(BREAKING, version=2, more=upcast)
    said = exported.run("schema", "check", "app:bus", "billing:registry").stdout
    assert said.startswith("note: orders.created v2 against v1: ")
    said = exported.run("schema", "diff", "app:bus", "orders.created").stdout
    assert said.splitlines()[-1].startswith("  upcasts lead v1 (schemas) to v2 (app:bus)")


def test_an_upcast_that_fails_is_to_be_mended(exported: Project) -> None:
    upcast = """
        @upcast(OrderCreated, from_version=1, registry=registry)
        def forgets_the_currency(order: dict[str, Any]) -> dict[str, Any]:
            return order
    """
    exported.write_orders(BREAKING, version=2, more=upcast)
    said = exported.run("schema", "check", "app:bus", status=1).stdout
    assert "break upcast_failed at the whole payload" in said
    assert "What to do: mend the upcasts from v1 to v2; or" in said


def test_redis_is_asked_for_what_is_registered(
    exported: Project, valkey_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey_server.ensure_running()
    valkey_server.flushall()
    check = ("schema", "check", "app:bus", "--against")
    said = exported.run(*check, "redis", status=2).stderr
    assert said == "error: which Redis? Set OMNIQ_URL, or pass --url or the URL itself\n"
    exported.run("schema", "push", "app:bus", "--url", valkey_server.url)
    exported.write_orders(BREAKING, version=2)
    for source in (("redis", "--url", valkey_server.url), (valkey_server.url,)):
        said = exported.run(*check, *source, status=1).stdout
        assert said.endswith("1 message type compared with redis: 1 break\n")
    monkeypatch.setenv("OMNIQ_URL", valkey_server.url)
    exported.run(*check, "redis", status=1)


@pytest.mark.parametrize(
    ("against", "said"),
    [
        ("contracts", "there is no contracts/index.json; `omniq-typed schema export` writes it"),
        ("git:no-such-branch", "'no-such-branch' is no commit, tag or branch"),
        ("git:", "'' is none; name a commit, tag or branch"),
        ("git:HEAD:contracts", "there is no contracts/index.json, neither at HEAD nor now"),
        ("redis://127.0.0.1:9/0", "no connection to the server"),
    ],
)
def test_what_cannot_be_read_is_an_error(exported: Project, against: str, said: str) -> None:
    result = exported.run("schema", "check", "app:bus", "--against", against, status=2)
    assert result.stderr.startswith("error: ") and said in result.stderr
    assert result.stdout == ""


def test_a_folder_that_is_new_has_nothing_to_keep_to(exported: Project) -> None:
    (exported.root / "schemas").rename(exported.root / "contracts")
    command = ("schema", "check", "app:bus", "--dir", "contracts", "--against", "git:HEAD")
    exported.write_orders("number: str")
    result = exported.run(*command)
    assert "compatible" in result.stdout
    assert result.stderr == "note: nothing is recorded in git:HEAD, so that all is new\n"


def test_schemas_in_draft_07_are_not_compared(exported: Project) -> None:
    draft = ("--dialect", "draft-07", "--out", "old")
    exported.run("schema", "export", "app:bus", *draft)
    said = exported.run("schema", "check", "app:bus", "--against", "old", status=2).stderr
    assert said == (
        "error: index: schemas in draft-07 are not compared; export them in 2020-12 too\n"
    )


def test_annotations_are_escaped(project: Project) -> None:
    found = Break("rule", "/a,b:c", "100%\nsure", Proof.NO)
    report = Report((Finding("a.b", 2, 1, Direction.BACKWARD, found),))
    said = written(Outcome(report, [], "x"), Format.GITHUB)
    first, summary = said.splitlines()
    assert first.startswith(
        "::error title=a.b v2 against v1::v2 does not read all that v1 wrote:%0A"
    )
    assert "100%25%0Asure" in first
    assert summary == "0 message types compared with x: 1 break"


# diff


def test_the_code_against_the_folder(exported: Project) -> None:
    exported.write_orders("number: Annotated[int, Field(le=9)]; currency: str", version=2)
    said = exported.run("schema", "diff", "app:bus", "orders.created").stdout.splitlines()
    assert said[:5] == [
        "orders.created v1 (schemas) -> v2 (app:bus)",
        "  what is written:",
        "    ~ /number  maximum: (none) -> 9",
        "    + /currency  string, required",
        "  v2 reads what v1 wrote: no",
    ]
    assert any("field_required at /currency" in line for line in said[5:])
    assert said[-1] == "  v1 reads what v2 writes: yes"


def test_what_only_readers_see(exported: Project) -> None:
    exported.write_orders("number: int = 5")
    said = exported.run("schema", "diff", "app:bus", "orders.created").stdout.splitlines()
    assert said == [
        "orders.created v1 (schemas) -> v1 (app:bus)",
        "  what is read:",
        "    ~ /number  presence: required -> optional",
        "    ~ /number  default: (none) -> 5",
        "  the v1 of app:bus reads what the v1 of schemas wrote: yes",
        "  the v1 of schemas reads what the v1 of app:bus writes: yes",
    ]


def test_no_change(exported: Project) -> None:
    said = exported.run("schema", "diff", "app:bus", "orders.created").stdout
    assert "  nothing changed\n" in said


def test_two_recorded_versions(exported: Project) -> None:
    exported.write_orders(COMPATIBLE, version=2)
    exported.run("schema", "export", "app:bus")
    exported.write_orders(COMPATIBLE + "; more: bool = True", version=3)
    exported.run("schema", "export", "app:bus")
    exported.write_orders(COMPATIBLE, version=3)
    redone = exported.run("schema", "diff", "app:bus", "orders.created").stdout
    assert redone.startswith("orders.created v3 (schemas) -> v3 (app:bus)\n")
    exported.write_orders(COMPATIBLE + "; more: bool = True", version=3)
    newest = exported.run("schema", "diff", "schemas", "orders.created").stdout
    assert newest.startswith("orders.created v2 (schemas) -> v3 (schemas)\n")
    chosen = exported.run("schema", "diff", "schemas", "orders.created", "1", "2").stdout
    assert chosen.startswith("orders.created v1 (schemas) -> v2 (schemas)\n")
    assert "+ /note  string or null, required" in chosen
    older = exported.run("schema", "diff", "app:bus", "orders.created", "1").stdout
    assert older.startswith("orders.created v1 (schemas) -> v3 (app:bus)\n")
    at_git = ("schema", "diff", "app:bus", "orders.created", "--against", "git:HEAD")
    assert exported.run(*at_git).stdout.startswith("orders.created v1 (git:HEAD) -> v3 (app:bus)")
    said = exported.run("schema", "diff", "git:HEAD", "orders.created").stdout
    assert said.startswith("orders.created v1 (git:HEAD) -> v1 (git:HEAD)\n  nothing changed")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["app:bus", "orders.create"], "app:bus has no type orders.create"),
        (["schemas", "orders.create"], "orders.create is not recorded in schemas; did you mean o"),
        (["app:bus", "orders.created", "7"], "orders.created v7 is not recorded; there are v1"),
        (["app:bus", "orders.created", "1", "7"], "app:bus has no orders.created v7; it has v1"),
        (["app:bus", "orders.created", "--dir", "none"], "there is no none/index.json"),
        (["nowhere", "orders.created"], "there is no module 'nowhere'"),
    ],
)
def test_what_cannot_be_compared_is_an_error(
    exported: Project, arguments: list[str], said: str
) -> None:
    assert said in exported.run("schema", "diff", *arguments, status=2).stderr

"""What CI says to a pull request: the examples and their schemas in a repository of their own,
where a branch changes a type."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
APP = "examples.all_messages"
TYPES = "examples/typed_orders.py"
TIMEOUT_S = 60
V1 = '@message("orders.created", version=1, queue="orders")'
V2 = '@message("orders.created", version=2, queue="orders")'
CUSTOMER = "    customer: str\n"
UPCAST = """

@upcast(OrderCreated, from_version=1)
def all_were_in_euros(order: dict[str, Any]) -> dict[str, Any]:
    return {**order, "currency": "EUR"}


class Progress:"""


class Repository:
    """A clone whose only commit is what is merged; the working tree is the pull request."""

    def __init__(self, root: Path) -> None:
        self.root = root
        hidden = shutil.ignore_patterns("__pycache__", "node_modules")
        for folder in ("examples", "schemas"):
            shutil.copytree(ROOT / folder, root / folder, ignore=hidden)
        self._git("init", "--quiet")
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", "what is merged")

    def edit(self, old: str, new: str, path: str = TYPES) -> None:
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text
        (self.root / path).write_text(text.replace(old, new, 1), encoding="utf-8")

    def waive(self, **waiver: Any) -> None:
        path = self.root / "schemas" / "index.json"
        index = json.loads(path.read_text(encoding="utf-8"))
        index["types"]["orders.created"]["waivers"].append(waiver)
        path.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")

    def schema(self, *arguments: str, status: int = 0) -> str:
        """What `omniq-typed schema ...` prints; it ends with `status`."""
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "omniq_typed", "schema", *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def check(self, *arguments: str, status: int = 0) -> str:
        """As CI asks."""
        return self.schema("check", APP, "--against", "git:HEAD", *arguments, status=status)

    def _git(self, *arguments: str) -> None:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(
            ["git", *who, *arguments], cwd=self.root, env=environment, check=True, timeout=TIMEOUT_S
        )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_no_change_passes(repository: Repository) -> None:
    said = repository.check()
    assert said.endswith(" message types compared with git:HEAD: compatible\n")
    assert said.count("\n") == 1
    assert repository.schema("export", APP, "--check") == ""


def change_in_place(repository: Repository) -> None:
    repository.edit(CUSTOMER, "    customer: SafeInt\n")


def new_required_field(repository: Repository) -> None:
    repository.edit(V1, V2)
    repository.edit(CUSTOMER, CUSTOMER + "    currency: str\n")


@pytest.mark.parametrize(
    ("change", "rule", "pointer"),
    [
        (change_in_place, "version_changed", "/customer"),
        (new_required_field, "field_required", "/currency"),
    ],
)
def test_a_breaking_change_fails_with_rule_and_place(
    repository: Repository, change: Callable[[Repository], None], rule: str, pointer: str
) -> None:
    change(repository)
    # Whoever exports the change too does not get it past the schemas that are merged.
    repository.schema("export", APP)
    said = repository.check(status=1)
    assert said.startswith("orders.created v") and f"({TYPES}:" in said
    assert f"break {rule} at " in said and pointer in said


def test_a_workflow_shows_the_break_beside_the_class(repository: Repository) -> None:
    new_required_field(repository)
    lines = (repository.root / TYPES).read_text(encoding="utf-8").splitlines()
    line = lines.index(V2) + 1
    said = repository.check("--format", "github", status=1)
    assert said.startswith(f"::error file={TYPES},line={line},title=orders.created v2 against v1::")
    assert "field_required at /currency" in said.splitlines()[0]


def test_a_compatible_version_passes_once_it_is_exported(repository: Repository) -> None:
    repository.edit(V1, V2)
    repository.edit("    amount: SafeInt\n", "    amount: SafeInt\n    note: str | None = None\n")
    stale = repository.schema("export", APP, "--check", status=1)
    assert "missing: schemas/orders.created/v2.json" in stale
    assert "stale: schemas/index.json" in stale
    repository.schema("export", APP)
    assert repository.schema("export", APP, "--check") == ""
    assert "compatible" in repository.check()


def test_an_upcast_answers_a_break(repository: Repository) -> None:
    new_required_field(repository)
    repository.edit("\n\nclass Progress:", UPCAST)
    repository.edit("Reject, SafeInt, message", "Reject, SafeInt, message, upcast")
    repository.edit(
        "from typing import Annotated, Literal", "from typing import Annotated, Any, Literal"
    )
    said = repository.check()
    assert "compatible" in said
    assert "note: orders.created v2 against v1: " in said and "led to v2 by upcasts" in said


def test_a_waiver_of_the_same_pull_request_counts(repository: Repository) -> None:
    new_required_field(repository)
    repository.schema("export", APP)
    repository.waive(version=2, rule="field_required", reason="v1 was never deployed")
    said = repository.check()
    assert "waived: v1 was never deployed" in said
    assert "compatible, 1 waived" in said

"""The folder of schemas: written whole, told apart when stale, and the examples' own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from omniq_typed import MessageType
from omniq_typed.errors import InvalidArgument, InvalidMessageType
from omniq_typed.models import Compatibility
from omniq_typed.schema.files import (
    Problem,
    check,
    read_index,
    read_schema,
    write,
    write_histories,
)
from omniq_typed.schema.history import read_history

ROOT = Path(__file__).parents[2]


class Order(BaseModel):
    number: int


class Invoice(BaseModel):
    text: str


ORDER: MessageType[Order] = MessageType("order", 1, Order)
ORDER_2: MessageType[Invoice] = MessageType("order", 2, Invoice)
INVOICE: MessageType[Invoice] = MessageType("invoice", 1, Invoice)
WAIVER = {"version": 2, "rule": "type_changed", "reason": "nobody reads it", "pointer": "/text"}


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_a_folder_is_written_and_then_current(tmp_path: Path) -> None:
    out = tmp_path / "schemas"
    write(out, [ORDER_2, ORDER, INVOICE])
    assert names(out) == [
        "index.json",
        "invoice/v1.json",
        "invoice/v1.reader.json",
        "order/v1.json",
        "order/v1.reader.json",
        "order/v2.json",
        "order/v2.reader.json",
    ]
    assert check(out, [ORDER, ORDER_2, INVOICE]) == []
    assert write(out, [ORDER, ORDER_2, INVOICE]) == []
    entry = read_index(out)["types"]["order"]
    assert [each["version"] for each in entry["versions"]] == [1, 2]
    assert read_schema(out, entry["versions"][0]["writer"])["title"] == "order"


def test_what_is_not_as_the_code_says_is_named(tmp_path: Path) -> None:
    write(tmp_path, [ORDER, INVOICE])
    (tmp_path / "order/v1.json").write_text("{}")
    (tmp_path / "invoice/v1.json").unlink()
    found = {each.path: each.problem for each in check(tmp_path, [ORDER, INVOICE])}
    assert found == {"order/v1.json": Problem.STALE, "invoice/v1.json": Problem.MISSING}
    found = {each.path: each.problem for each in check(tmp_path, [ORDER])}
    assert found["invoice/v1.reader.json"] == Problem.FOREIGN


def test_files_and_choices_of_others_stay(tmp_path: Path) -> None:
    write(tmp_path, [INVOICE])
    index = read_index(tmp_path)
    index["types"]["invoice"]["mode"] = "FULL"
    index["types"]["invoice"]["waivers"] = [WAIVER]
    (tmp_path / "index.json").write_text(json.dumps(index))
    before = (tmp_path / "invoice/v1.json").read_bytes()
    write(tmp_path, [ORDER])
    kept = read_index(tmp_path)["types"]["invoice"]
    assert (kept["mode"], kept["waivers"]) == ("FULL", [WAIVER])
    assert (tmp_path / "invoice/v1.json").read_bytes() == before


@pytest.mark.parametrize(
    "text", ["", "[]", '{"types": {"a": {}}}', '{"types": {"a": {"mode": "?"}}}']
)
def test_a_broken_index_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(InvalidArgument, match=r"index\.json is no index of schemas"):
        write(tmp_path, [ORDER])
    assert names(tmp_path) == ["index.json"], "nothing was written"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": "2"}, "its version is '2'"),
        ({"version": 0}, "its version is 0"),
        ({"version": True}, "its version is True"),
        ({"rule": ""}, "its rule is ''"),
        ({"reason": "  "}, "its reason is '  '; say it in a text"),
        ({"reason": 3}, "its reason is 3"),
        ({"pointer": "text"}, "its pointer 'text' begins with no '/'"),
        ({"until": "May"}, "has until, which means nothing"),
        ({"reason": None}, "has no reason"),
    ],
)
def test_a_bad_waiver_is_an_error_that_says_what(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    write(tmp_path, [ORDER])
    index = read_index(tmp_path)
    bad = {key: value for key, value in {**WAIVER, **changes}.items() if value is not None}
    index["types"]["order"]["waivers"] = [WAIVER, bad]
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(InvalidArgument) as caught:
        read_index(tmp_path)
    assert f"waiver 2 of order: {said}" in caught.value.problem


def test_the_mode_is_what_the_code_says_else_the_index_else_the_default(tmp_path: Path) -> None:
    def mode(*types: MessageType[Any]) -> str:
        write(tmp_path, types)
        return str(read_index(tmp_path)["types"]["order"]["mode"])

    said: MessageType[Invoice] = MessageType("order", 2, Invoice, compatibility=Compatibility.FULL)
    shared: MessageType[Invoice] = MessageType("order", 3, Invoice, shared=True)
    both: MessageType[Invoice] = MessageType(
        "order", 4, Invoice, shared=True, compatibility=Compatibility.NONE
    )
    assert mode(ORDER) == "BACKWARD_TRANSITIVE"
    assert mode(ORDER, said) == "FULL"
    assert mode(ORDER) == "FULL", "the code says nothing, the index does"
    assert mode(said, shared, ORDER) == "FULL_TRANSITIVE", "the newest that says something counts"
    assert mode(shared, both) == "NONE"


def test_a_schema_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="cannot be read"):
        read_schema(tmp_path, "order/v1.json")


def test_recorded_versions_are_written_as_the_code_would(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    write(one, [ORDER, ORDER_2, INVOICE])
    index = read_index(one)
    waiver = {"version": 2, "rule": "type_changed", "reason": "nobody reads it"}
    index["types"]["order"] |= {"mode": "FULL", "waivers": [waiver]}
    (one / "index.json").write_text(json.dumps(index, indent=2) + "\n")
    history = read_history(one)
    assert len(write_histories(other, history.values())) == 7
    for name in names(one):
        assert (other / name).read_bytes() == (one / name).read_bytes()
    assert write_histories(other, [history["order"]]) == []


def test_a_name_that_can_be_no_folder_is_refused(tmp_path: Path) -> None:
    for name in ("..", ".", "index.json"):
        with pytest.raises(InvalidMessageType, match="no folder"):
            write(tmp_path, [MessageType(name, 1, Order)])
    assert names(tmp_path) == []


def test_the_examples_schemas_are_current() -> None:
    """Where this fails: `omniq-typed schema export examples.all_messages`, and look at what
    changed."""
    command = ["-m", "omniq_typed", "schema", "export", "examples.all_messages", "--check"]
    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

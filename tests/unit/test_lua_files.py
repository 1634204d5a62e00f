"""The headers of the Lua scripts say what the code does, and the includes are exactly those that
are called."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from omniq_typed.core import keys
from omniq_typed.core.lua_header import QUEUE_KEYS, comment_of
from omniq_typed.core.lua_manifest import header, manifest
from omniq_typed.core.replies import _REFUSALS
from omniq_typed.core.scripts import lua_folder, script, script_names
from tests.servers import Server

STATES = {"wait", "delayed", "active", "failed", "completed", "(none)"}
SCRIPTS = manifest("")["scripts"]

LIB = {path.stem: path.read_text(encoding="utf-8") for path in (lua_folder() / "lib").glob("*.lua")}
COMMANDS = {
    name: (lua_folder() / "commands" / f"{name}.lua").read_text(encoding="utf-8")
    for name in script_names()
}

each_command = pytest.mark.parametrize("name", COMMANDS)
each_lib = pytest.mark.parametrize("name", sorted(LIB))


def code_of(source: str) -> str:
    """Without comments. No string of ours holds two hyphens."""
    return re.sub(r"--.*", "", source)


def calls_of(source: str) -> set[str]:
    """The lib functions that a source calls, or keeps to call them."""
    body = re.sub(r"local function \w+", "", code_of(source))
    return {name for name in re.findall(r"(?<![.\w'])\w+\b(?![ ']*=[^=])", body) if name in LIB}


def closure(source: str, asked_for: Callable[[str], set[str]]) -> set[str]:
    """The lib functions that are asked for by a source, directly or through others."""
    found: set[str] = set()
    left = asked_for(source)
    while left:
        each = left.pop()
        found.add(each)
        left |= asked_for(LIB[each]) - found
    return found


def reachable(name: str) -> set[str]:
    """The lib functions that a command calls, directly or through others."""
    return closure(COMMANDS[name], calls_of)


@dataclass(frozen=True)
class Block:
    """Lib functions that are included within a block, and the code of the block behind them."""

    names: tuple[str, ...]
    code: str


def blocks_of(source: str) -> list[Block]:
    """The block goes on for as long as lines are indented as far."""
    lines, found = source.splitlines(), []
    for first, group in itertools.groupby(enumerate(lines), lambda each: "-- @include" in each[1]):
        rows = [*group]
        indent = re.match(" *", rows[0][1])
        if not first or not indent or not indent[0]:
            continue
        behind = itertools.takewhile(
            lambda row, margin=indent[0]: row == "" or row.startswith(margin),  # type: ignore[misc]
            lines[rows[-1][0] + 1 :],
        )
        names = [name for _, row in rows for name in row.split()[2:]]
        found.append(Block(tuple(names), code_of("\n".join(behind))))
    return found


def needs(source: str) -> set[str]:
    """The lib functions that have to stand in front of a source: what it calls, and what those call
    that it includes in its blocks, but for these themselves."""
    blocks = blocks_of(source)
    own = {name for block in blocks for name in block.names}
    return (calls_of(source) | {each for name in own for each in needs(LIB[name])}) - own


def in_front(name: str) -> set[str]:
    """The lib functions that the header of a command has to include."""
    return closure(COMMANDS[name], needs)


def header_of(name: str) -> list[str]:
    return comment_of(COMMANDS[name])


def includes_of(name: str) -> list[str]:
    return [
        part
        for line in header_of(name)
        if line.startswith("-- @include ")
        for part in line.split()[2:]
    ]


@each_command
def test_the_header_holds_to_its_grammar_and_starts_with_the_name(name: str) -> None:
    assert header(name).name == name


@pytest.mark.parametrize("name", [*sorted(LIB), *COMMANDS])
def test_a_comment_at_the_head_keeps_within_its_columns(name: str) -> None:
    lines = comment_of(LIB[name] if name in LIB else COMMANDS[name])
    assert [line for line in lines if len(line) > 100] == []


@each_command
def test_includes_are_those_that_are_called_each_once(name: str) -> None:
    included = includes_of(name)
    assert len(included) == len(set(included))
    assert set(included) <= set(LIB), "an include names no file of lua/lib"
    assert set(included) == in_front(name)


@pytest.mark.parametrize("name", [*sorted(LIB), *COMMANDS])
def test_a_block_includes_what_is_called_in_it_and_what_that_calls(name: str) -> None:
    source = LIB[name] if name in LIB else COMMANDS[name]
    blocks, front = blocks_of(source), needs(source)
    for block in blocks:
        assert len(block.names) == len(set(block.names))
        assert set(block.names) <= set(LIB), "an include names no file of lua/lib"
        for position, each in enumerate(block.names):
            missing = needs(LIB[each]) - front - set(block.names[:position])
            assert not missing, f"{each} calls {missing}, which does not stand before it"
        used = calls_of(block.code) | {call for each in block.names for call in needs(LIB[each])}
        assert set(block.names) <= used, "what nobody calls is included"
    # A function of a block is not known outside.
    outside = code_of(source)
    for block in blocks:
        assert block.code in outside
        outside = outside.replace(block.code, "")
    own = {each for block in blocks for each in block.names}
    assert not calls_of(outside) & own


@each_command
def test_includes_are_found_by_the_flattener(name: str) -> None:
    """Joined by hand: those of the header in front, those of a block in their place."""

    def joined(source: str) -> str:
        rows = source.splitlines(keepends=True)
        return "".join(
            "".join(joined(LIB[each]) for each in row.split()[2:])
            if re.match(" +-- @include ", row)
            else row
            for row in rows
        )

    front = "".join(joined(LIB[each]) for each in includes_of(name))
    assert script(name).text == front + joined(COMMANDS[name])


@each_command
def test_a_callee_stands_before_its_caller(name: str) -> None:
    included = includes_of(name)
    for position, caller in enumerate(included):
        late = needs(LIB[caller]) - set(included[:position]) - {caller}
        assert not late, f"{caller} calls {late}, which the header includes behind it"


@each_lib
def test_a_lib_file_is_one_local_function_of_its_own_name(name: str) -> None:
    code = code_of(LIB[name])
    assert re.findall(r"\bfunction\b\s*(\w*)", code) == [name]
    assert re.match(rf"\s*local function {name}\(", code)
    assert code.rstrip().endswith("\nend"), "a statement stands behind the function"


@each_lib
def test_a_lib_file_gets_all_by_parameters(name: str) -> None:
    assert not re.search(r"\b(KEYS|ARGV)\b", code_of(LIB[name]))


@each_lib
def test_a_lib_file_says_what_it_does(name: str) -> None:
    assert LIB[name].startswith("-- ")


@each_lib
def test_a_lib_file_is_used_by_a_command(name: str) -> None:
    assert any(name in reachable(command) for command in COMMANDS)


@each_command
def test_keys_names_those_that_the_script_takes(name: str) -> None:
    code, said = code_of(COMMANDS[name]), header(name).keys
    assert (said is None) == ("queue_keys(KEYS)" in code)
    numbers = {int(number) for number in re.findall(r"KEYS\[(\d+)\]", code)}
    assert numbers == set(range(1, len(said or ()) + 1))


@each_command
def test_argv_tells_of_arguments_where_there_are_some(name: str) -> None:
    code, said = code_of(COMMANDS[name]), header(name).arguments
    assert (said == []) == ("ARGV" not in code)
    assert (said != [] and said[0]["name"] == "now_ms") == ("now_ms(ARGV[1])" in code)


@each_command
def test_each_single_argument_is_read_from_its_place(name: str) -> None:
    """Those of a record are counted from where it starts."""
    read = {int(number) for number in re.findall(r"ARGV\[(\d+)\]", code_of(COMMANDS[name]))}
    single = list(itertools.takewhile(lambda each: "arguments" not in each, header(name).arguments))
    assert read == set(range(1, len(single) + 1))


@each_command
def test_derived_lists_exactly_the_keys_that_are_built(name: str) -> None:
    code = code_of(COMMANDS[name]) + "".join(code_of(LIB[each]) for each in reachable(name))
    derived = {f"g:GID:{part}" for part in re.findall(r"group_key\([^()]+, '(\w+)'\)", code)}
    assert code.count("group_key(") - code.count("function group_key(") == len(
        re.findall(r"group_key\([^()]+, '\w+'\)", code)
    ), "a part of a group that is no literal cannot be checked"
    if "job_key" in reachable(name):
        derived.add("job:ID")
    derived |= set(re.findall(r"limit_key\([^()]+, '(\w+)'\)", code))
    if "type_key" in reachable(name):
        (types,) = (key.decode() for key in keys.schema_keys())
        derived.add(f"{types.removesuffix('types')}type:NAME")
    assert set(header(name).derived) == derived


@each_command
def test_the_literals_of_a_reply_are_in_the_code(name: str) -> None:
    literals = set(re.findall(r"'(\w*)'", code_of(script(name).text)))
    said = {each for each in words_of(header(name).reply) if not each.isdigit()}
    assert said <= literals, "RETURNS names what the script never returns"
    own = set(re.findall(r"'([A-Z]+_[A-Z_]+)'", code_of(COMMANDS[name])))
    assert own <= said, "the script returns a code that RETURNS does not name"


def words_of(shape: Any) -> set[str]:
    """Every literal in a shape."""
    if isinstance(shape, list):
        return set().union(*map(words_of, shape))
    if not isinstance(shape, dict):
        return set()
    return {shape["literal"]} if "literal" in shape else words_of([*shape.values()])


def test_every_code_becomes_an_exception_or_a_result() -> None:
    """`child_ack` answers its two codes as numbers."""
    codes = {code for entry in SCRIPTS.values() for code in entry["errors"]}
    results = {"NO_COUNTER", "ALREADY_FINISHED", "CHANGED", "STALE"}
    assert set(_REFUSALS) <= codes <= set(_REFUSALS) | results


@each_command
def test_state_names_transitions_between_states(name: str) -> None:
    for change in header(name).states or ("(none)",):
        words = set(re.findall(r"\(none\)|[a-z]+", change.split(" when ")[0])) - {"or"}
        assert words <= STATES, words
        assert change == "(none)" or " -> " in change


@each_command
def test_a_script_without_transitions_sets_no_state(name: str) -> None:
    code = code_of(script(name).text)
    sets_state = re.search(r"'HSET',[^\n]*'state'", code) is not None
    removes_jobs = "redis.call('DEL', job_key(" in code_of(COMMANDS[name])
    # Renewing a lease is a transition from active to active: nothing is written to `state`.
    renews = header(name).states == ("active -> active",)
    assert (header(name).states != ()) == (sets_state or removes_jobs or renews)


@each_command
def test_every_state_that_is_written_is_the_end_of_a_transition(name: str) -> None:
    written = set(re.findall(r"'state', '(\w+)'", code_of(script(name).text))) & STATES
    if re.search(r"redis\.call\('DEL', job_key\(", code_of(script(name).text)):
        written.add("(none)")
    ends = "".join(
        re.sub(r".*?-> ", " ", change).split(" when ")[0]
        for change in (header(name).states or ("(none)",))
    )
    assert written <= set(re.findall(r"\(none\)|[a-z]+", ends))


@each_command
def test_reads_only_is_said_of_scripts_that_write_nothing(name: str) -> None:
    called = set(re.findall(r"redis\.call\('([A-Z]+)'", code_of(script(name).text)))
    reading = {"EXISTS", "GET", "HGET", "HGETALL", "HKEYS", "HMGET", "LLEN", "LRANGE", "MGET"}
    reading |= {"SMEMBERS", "TIME", "ZCARD", "ZRANGE", "ZREVRANGE", "ZSCAN", "ZSCORE"}
    assert header(name).reads_only == (called <= reading)


def builders() -> dict[Path, set[str]]:
    """The scripts that each module of core/ asks for."""
    folder = Path(keys.__file__).parent
    found = {
        path: set(re.findall(r'\bscript\("(\w+)"\)', path.read_text(encoding="utf-8")))
        for path in folder.glob("*.py")
    }
    return {path: names for path, names in found.items() if names}


def test_every_command_has_a_builder_and_every_builder_its_command() -> None:
    assert set().union(*builders().values()) == set(COMMANDS)


@pytest.mark.parametrize("module", builders(), ids=lambda path: path.stem)
def test_the_docstring_of_a_builder_module_names_its_scripts(module: Path) -> None:
    docstring = module.read_text(encoding="utf-8").split('"""')[1]
    assert set(re.findall(r"(\w+)\.lua\b", docstring)) == builders()[module]


def test_the_fixed_keys_stand_in_the_same_order_in_lua_and_in_python() -> None:
    rows = re.findall(r"(\w+) = keys\[(\d+)\]", code_of(LIB["queue_keys"]))
    in_lua = ["meta", *(field for field, _ in rows)]
    in_python = [key.decode().removeprefix("{q}:") for key in keys.queue_keys("q")]
    assert [int(number) for _, number in rows] == list(range(2, len(in_python) + 1))
    renamed = {"lane:rr": "turn"}
    assert in_lua == [renamed.get(key, key.replace(":", "_")) for key in in_python]
    # What job and group keys grow on is the first key without its name.
    assert "base = string.sub(keys[1], 1, -6)" in LIB["queue_keys"]
    assert len(":meta") == 5 and f"{len(in_python)} fixed keys" in QUEUE_KEYS


@pytest.mark.parametrize("name", [*sorted(LIB), *COMMANDS])
def test_only_keys_of_the_queue_are_read_from_it(name: str) -> None:
    """A misspelt one would be nil, which Redis takes for a fault only at run time."""
    fields = set(re.findall(r"(\w+) = ", LIB["queue_keys"]))
    code = code_of(LIB[name] if name in LIB else COMMANDS[name])
    used = re.findall(r"\bq\.(\w+)", code) + re.findall(r"queue_keys\(KEYS\)\.(\w+)", code)
    assert set(used) <= fields


def test_every_script_loads_under_the_sha_that_is_reckoned(server: Server) -> None:
    client = server.client(decode_responses=True)
    with contextlib.closing(client):
        for name in script_names():
            assert client.script_load(script(name).text) == script(name).sha, name

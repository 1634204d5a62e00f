"""The grammar of headers: what it says, and that it refuses what it does not know."""

from __future__ import annotations

import pytest

from omniq_typed.core.lua_header import read_header

HEADER = """\
-- move: moves things.
-- KEYS: {store:NAME}:from, {store:NAME}:to
-- ARGV:
--   now_ms: int; 0 = the server's time
--   count: int
--   things, count times:
--     id: text; of the thing,
--       whatever it is
--     kind: 'plain'|'late'
--     where kind is 'late':
--       due_ms: int|''
--   marks, count times, as in lib/marks.lua
--   tags, any number of times:
--     tag: bytes
-- DERIVED: {store:NAME}:thing:ID, lane:ID
-- RETURNS: {'ERR', code} | {moved, left...}
--     | [id, score]
--   code: 'A'|'B'
--   moved, left: lib/marks.lua; which
--     they are
--   id: text
--   score: number
-- EFFECT: writes; not repeatable
-- STATE: wait -> active|failed; active -> wait
-- INVARIANT: nothing
--   is lost
-- @include queue_keys

return 1
"""
MARKS = """\
-- Marks things.
-- RECORD:
--   mark: text
-- ROW: {mark}
--   mark: text
local function marks()
end
"""


def lib(name: str) -> str:
    if name != "marks":
        raise ValueError(f"there is no lib/{name}.lua")
    return MARKS


def test_every_part_of_a_header_is_read() -> None:
    header = read_header(HEADER, lib)
    mark = {"tuple": [{"name": "mark", "type": "text"}]}
    assert (header.name, header.does) == ("move", "moves things.")
    assert header.keys == ("{store:NAME}:from", "{store:NAME}:to")
    assert header.arguments == [
        {"name": "now_ms", "type": "int", "unit": "ms", "meaning": "0 = the server's time"},
        {"name": "count", "type": "int"},
        {
            "name": "things",
            "times": "count",
            "arguments": [
                {"name": "id", "type": "text", "meaning": "of the thing, whatever it is"},
                {"name": "kind", "one_of": [{"literal": "plain"}, {"literal": "late"}]},
                {
                    "where": "kind",
                    "is": ["late"],
                    "arguments": [
                        {
                            "name": "due_ms",
                            "one_of": [{"type": "int"}, {"literal": ""}],
                            "unit": "ms",
                        }
                    ],
                },
            ],
        },
        {"name": "marks", "times": "count", "arguments": [{"name": "mark", "type": "text"}]},
        {
            "name": "tags",
            "times": {"min": 0, "max": None},
            "arguments": [{"name": "tag", "type": "bytes"}],
        },
    ]
    assert header.derived == ("{store:NAME}:thing:ID", "lane:ID")
    assert header.reply == {
        "one_of": [
            {
                "tuple": [
                    {"literal": "ERR"},
                    {"name": "code", "one_of": [{"literal": "A"}, {"literal": "B"}]},
                ]
            },
            {
                "tuple": [{"name": "moved", **mark, "meaning": "which they are"}],
                "rest": {"name": "left", **mark, "meaning": "which they are"},
            },
            {"list": [{"name": "id", "type": "text"}, {"name": "score", "type": "number"}]},
        ]
    }
    assert (header.reads_only, header.repeatable) == (False, False)
    assert header.states == ("wait -> active|failed", "active -> wait")
    assert header.invariant == "nothing is lost"


BROKEN = [
    ("-- move: moves things.", "-- moves things.", "the first line is no"),
    ("-- move: moves things.", "-- move: moves things", "the first line is no"),
    ("-- move: moves things.", "-- move: moves things.\n-- And more.", "belongs to no section"),
    ("-- EFFECT: writes; not repeatable\n", "", "the sections are KEYS"),
    ("-- EFFECT: writes; not repeatable", "-- EFFECT: none", "EFFECT is 'none'"),
    ("-- DERIVED:", "-- KEYS:", "KEYS stands there twice"),
    ("-- KEYS: {store:NAME}:from", "-- KEYS: from", "'from' is no pattern of a key"),
    ("{store:NAME}:to", "{store:NAME}:from", "a key stands twice"),
    ("lane:ID", "lane ID", "'lane ID' is no pattern of a key"),
    ("--   count: int", "-- count: int", "is not indented as ARGV goes on"),
    ("-- ARGV:", "-- ARGV: now", "ARGV is (none), or has"),
    ("--   count: int", "--   count int", "'count int' is no 'name: type; meaning'"),
    ("--   count: int", "--   count: integer", "nothing says what 'integer' is"),
    ("--   count: int", "--   count: [int]", "an argument is no list"),
    ("--   count: int", "--   count: int|", "a shape is missing at the end"),
    ("--   count: int", "--   count: int text", "goes on after its end, with 'text'"),
    ("--   count: int", "--   count: int|INT", "is no shape from 'INT' on"),
    ("--   count: int", "--   now_ms: int", "'now_ms' stands there twice"),
    ("--   count: int", "--   count: text", "'count' times: no int before it is called so"),
    ("things, count times:", "things, COUNT times:", "'COUNT' times: no int before it"),
    ("things, count times:", "things, 1 to 9 times:", "things: what comes behind it could not"),
    ("--     tag: bytes\n", "", "has no arguments below"),
    ("lib/marks.lua\n--   tags", "lib/other.lua\n--   tags", "there is no lib/other.lua"),
    ("where kind is 'late'", "where kind is 'soon'", "no argument before it can be that"),
    ("where kind is 'late'", "where sort is 'late'", "no argument before it can be that"),
    ("code: 'A'|'B'", "code 'A'|'B'", "is no 'name: shape; meaning'"),
    ("code: 'A'|'B'", "cod: 'A'|'B'", "nothing says what 'code' is"),
    ("--   id: text\n--   score", "--   id: text\n--   idle: int\n--   score", "is called idle"),
    ("--   id: text\n--   score", "--   id: text\n--   id: int\n--   score", "is explained twice"),
    ("--   score: number", "--   score: id", "nothing says what 'id' is"),
    ("left...}", "left...", "'}' is missing"),
    ("{moved, left...}", "{moved..., left}", "'}' is missing"),
    ("[id, score]", "[id, score", "']' is missing"),
    ("[id, score]", "[id, score...]", "']' is missing"),
    ("{'ERR', code}", "{'ERR', }", "a shape is missing before '}'"),
]


@pytest.mark.parametrize(("old", "new", "said"), BROKEN)
def test_what_breaks_the_grammar_is_refused(old: str, new: str, said: str) -> None:
    assert old in HEADER
    with pytest.raises(ValueError) as caught:
        read_header(HEADER.replace(old, new), lib)
    assert said in str(caught.value)


def test_a_row_that_is_not_there_is_missed() -> None:
    with pytest.raises(ValueError, match=r"lib/marks\.lua has no ROW"):
        read_header(HEADER, lambda name: "-- Marks things.\n-- RECORD:\n--   mark: text\n")

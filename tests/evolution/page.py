"""Writes docs/compatibility.md from the pairs: `python -m tests.evolution.page`."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from omniq_typed.schema.compatibility.rules import RULES
from tests.evolution import GROUPS, PAIRS, Pair
from tests.evolution.verdicts import Direction, said_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"

_INTRO = """\
# Compatibility

What a change of a message type means for those who still have the other version. **Backward**: the
new version reads what the old one wrote, so that jobs that wait outlive a deployment. **Forward**:
the old version reads what the new one writes, so that producers may go first. The check asks for
what the type's mode says: `BACKWARD_TRANSITIVE` unless you say otherwise, `FULL_TRANSITIVE` for
types marked as shared.

The page is generated from the {pairs} pairs of types in `tests/evolution/` by
`python -m tests.evolution.page`, and a test holds it current. The verdicts are those of the check,
and each is confirmed by running: of *ok*, a thousand payloads of the writer, systematic and random
ones, are decoded by the reader's class without one exception; of *break*, a payload that the
writer's class writes fails in the reader's. *Unknown* is what nobody can prove, as a function in
Python decides it; it counts as a break until somebody waives it. Of {verdicts} verdicts here {ok}
are ok, {breaks} are breaks and {unknown} unknown.

The check looks at what is read, not at what it means: a field that is renamed and optional on both
sides is compatible, and what it held is lost.
"""

_HEAD = """
## {title}

| Change | Before | After | Backward | Forward |
|---|---|---|---|---|
"""

_RULES = """
## Rules

What the check says where a reader does not take what a writer writes. Waivers name these.

| Rule | Meaning | Way out |
|---|---|---|
"""


def page() -> str:
    """The text of docs/compatibility.md."""
    directions: tuple[Direction, ...] = ("backward", "forward")
    said = Counter(said_of(pair, each).verdict for pair in PAIRS for each in directions)
    intro = _INTRO.format(
        pairs=len(PAIRS),
        verdicts=2 * len(PAIRS),
        ok=said["ok"],
        breaks=said["break"],
        unknown=said["unknown"],
    )
    groups = (_HEAD.format(title=title) + _table(pairs) for title, pairs in GROUPS.items())
    rules = (
        f"| `{rule}` | {meaning} | {way_out} |\n" for rule, (meaning, way_out) in RULES.items()
    )
    return intro + "".join(groups) + _RULES + "".join(rules)


def _table(pairs: Iterable[Pair]) -> str:
    return "".join(
        f"| {pair.title} | {_code(pair.before)} | {_code(pair.after)}"
        f" | {_verdict(pair, 'backward')} | {_verdict(pair, 'forward')} |\n"
        for pair in pairs
    )


def _verdict(pair: Pair, direction: Direction) -> str:
    said = said_of(pair, direction)
    if said.verdict == "ok":
        return "ok"
    rules = ", ".join(f"`{rule}`" for rule in said.rules)
    kind = "**break**" if said.verdict == "break" else "**unknown** (counts as a break)"
    return f"{kind}: {rules}"


def _code(lines: tuple[str, ...]) -> str:
    """In a table a pipe ends the cell, also within code."""
    return "<br>".join("`{}`".format(line.replace("|", "\\|")) for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

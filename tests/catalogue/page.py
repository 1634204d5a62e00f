"""Writes docs/types.md from the catalogue: `python -m tests.catalogue.page`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.catalogue import CATALOGUE, FORMS, Kind
from tests.catalogue.near_misses import valid_payload

PAGE = Path(__file__).resolve().parents[2] / "docs" / "types.md"

_INTRO = """\
# Types

What a message may consist of, what of it lies in Redis, and that it comes back as it was. The page
is generated from `tests/catalogue/` by `python -m tests.catalogue.page`.

`tests/conformance/test_catalogue.py` publishes {samples} samples of these {kinds} kinds in their
{forms} forms to Redis and Valkey, single servers and clusters, from blocking and from asyncio
programs. The stored bytes have to be those that `TypeAdapter(T).dump_json(value, by_alias=True)`
writes, and the handler of that type has to get the same value, down to the type of every part. All
forms of a kind write the same bytes: a model may be published and a dataclass received.

`tests/conformance/test_near_misses.py` publishes 10,000 payloads that are one step away from valid
ones, past our check: what the type does not allow fails with its reason, and no handler sees it.
"""

_PORTABLE = """
## Read alike by every language

These pass with `strict_types=True`.
"""

_PYTHON_ONLY = """
## Read alike by Python alone

These are registered with `strict_types=False`. Without it, registering them gives a
`PortabilityWarning`, and with `strict_types=True` an error.
"""

_HEAD = """
| Kind | In Python | As | Stored bytes of a sample |
|---|---|---|---|
"""


def page() -> str:
    """The text of docs/types.md."""
    samples = sum(len(form.samples) for form in FORMS)
    intro = _INTRO.format(samples=samples, kinds=len(CATALOGUE), forms=len(FORMS))
    return (
        intro
        + (_PORTABLE + _table(kind for kind in CATALOGUE if kind.portable))
        + (_PYTHON_ONLY + _table(kind for kind in CATALOGUE if not kind.portable))
    )


def _table(kinds: Iterable[Kind]) -> str:
    return _HEAD + "".join(_row(kind) for kind in kinds)


def _row(kind: Kind) -> str:
    python = "<br>".join(_code(line) for line in kind.python)
    styles = ", ".join(form.style for form in kind.forms)
    typical = kind.forms[0]
    stored = _code(valid_payload(typical, typical.samples[0]).decode())
    return f"| {kind.title} | {python} | {styles} | {stored} |\n"


def _code(text: str) -> str:
    """In a table a pipe ends the cell, also within code."""
    escaped = text.replace("|", "\\|")
    return f"`{escaped}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

"""A broker operation as a value: which script, with which keys and arguments, and how to read
its reply. A transport needs nothing else to run it, sync or async."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from omniq_typed.core.scripts import Script

R = TypeVar("R")

Arg = bytes | str | int

CHECK = "check"
"""Stands for the argument `check` of a script that checks permissions, the first or the second:
the transport puts 1 there where the script is to ask, else 0; transport/checks.py."""


# Not frozen, for each call makes one, and freezing would double what it costs.
@dataclass(slots=True)
class Command(Generic[R]):
    """One script call. Never changed once it is made.

    `repeatable`: running it twice has the effect of running it once, so that a transport may send
    it again when the connection broke and the reply is unknown. `as_reader`: sent as EVALSHA_RO,
    which also a user may run who may only read the keys. `same_args`: so many of its first
    arguments, CHECK among them, are those of many other calls, too; a transport may keep them
    packed.
    """

    script: Script
    keys: Sequence[bytes]
    args: Sequence[Arg]
    parse: Callable[[Any], R]
    repeatable: bool
    as_reader: bool = False
    same_args: int = 0


Steps: TypeAlias = Generator[Command[Any], Any, R]
"""An operation that takes several commands: yields each and is sent what it answers, or thrown what
it raises. So it is written once, whoever runs it (transport/steps.py)."""

"""The state machine of completion counters, beside its model."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from omniq_typed.core import children
from omniq_typed.core.keys import counter_keys
from omniq_typed.errors import CounterExists
from tests.properties.model_match import expect
from tests.properties.queue_laws import LawBroken
from tests.properties.queue_machine import Runner
from tests.properties.queue_model import ChildrenModel


class ChildrenMachine(RuleBasedStateMachine):
    """A completion counter. Its memory runs by the server's clock, so it is cut by hand here."""

    runner: ClassVar[Runner]
    client_of: ClassVar[Callable[[bytes], Any]]

    def __init__(self) -> None:
        super().__init__()
        self.key = f"laws-{uuid.uuid4().hex}"
        self.keys = counter_keys(self.key)
        self.client = type(self).client_of(self.keys[0])
        self.model = ChildrenModel()
        self.zero_to: set[str] = set()

    def teardown(self) -> None:
        self.client.delete(*self.keys)

    @rule(expected=st.integers(1, 3))
    def init(self, expected: int) -> None:
        allowed = self.model.init(expected)
        try:
            self.runner.run(children.childs_init(self.key, expected))
            done = True
        except CounterExists:
            done = False
        if done:
            self.zero_to = set()
        self.check(done, allowed)

    @rule(child=st.sampled_from(["c0", "c1", "c2", "c3"]))
    def ack(self, child: str) -> None:
        reply = self.runner.run(children.child_ack(self.key, child, remember_ms=600_000))
        if reply == 0:
            self.zero_to.add(child)
        if len(self.zero_to) > 1:
            raise LawBroken("one_finisher", f"0 went to {self.zero_to}")
        self.check(reply, self.model.ack(child))

    @precondition(lambda self: self.model.finisher is not None)
    @rule()
    def forget(self) -> None:
        assert self.client.delete(self.keys[2]) == 1
        self.model.forget()
        self.check(None, None)

    def check(self, reply: object, expected: object) -> None:
        expect(reply, expected)
        count, done, finished = self.keys
        left, finisher = self.client.get(count), self.client.get(finished)
        expect(left and int(left), self.model.left)
        expect({child.decode() for child in self.client.smembers(done)}, self.model.done)
        expect(finisher and finisher.decode(), self.model.finisher)
        if finisher and not 0 < self.client.pttl(finished) <= 600_000:
            raise LawBroken("memory", f"ends in {self.client.pttl(finished)} ms")


def children_machine(runner: Runner, client_of: Callable[[bytes], Any]) -> type[ChildrenMachine]:
    attributes = {"runner": runner, "client_of": staticmethod(client_of)}
    return type("BoundChildrenMachine", (ChildrenMachine,), attributes)

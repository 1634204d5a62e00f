"""`QueueMachine`: a state machine of Hypothesis that finds what handlers do wrong when workers die,
stall and fail.

Each example is a history: messages are published, also twice; workers take jobs and handle them, or
die on the way, or stall until their lease is over and another worker has the job, or a line of the
handler fails; time passes. Now and then the faults are over, and everything is worked off. What
must be true meanwhile and then is for the user to say.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar, TypeVar

from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from typing_extensions import is_typeddict

from omniq_typed.async_bus import AsyncBus
from omniq_typed.bus import Bus
from omniq_typed.errors import InvalidArgument
from omniq_typed.messages.envelope import Envelope
from omniq_typed.messages.message_type import MessageType
from omniq_typed.testing.borrowing import Redirectable
from omniq_typed.testing.interruption import (
    InjectedFailure,
    Interruption,
    WorkerDied,
    lines_in,
)
from omniq_typed.testing.machine_workers import MachineWorkers
from omniq_typed.testing.memory_bus import AsyncMemoryBus, MemoryBus
from omniq_typed.testing.payloads import payloads

R = TypeVar("R")

REST_MS = 30 * 24 * 3600 * 1000
"""Longer than the retries of a job take together."""
MAX_WAITING = 4
STEPS = 15
"""Of an example, unless its settings say otherwise. A fault shows after a few, or not at all."""


def chosen(choose: Callable[[Any], st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """A strategy that depends on the running machine."""
    return st.runner().flatmap(choose)


queues = chosen(lambda machine: st.sampled_from(machine._workers.look().busy))
lines = chosen(lambda machine: st.sampled_from(range(machine._most_lines + 1)))
"""0: the first line of a handler; as many as it has lines: none of them."""


def has_room(machine: QueueMachine) -> bool:
    """Whether to publish more. What waits for long is not interrupted often."""
    return machine._workers.look().waiting < MAX_WAITING


def has_work(machine: QueueMachine) -> bool:
    """Whether a worker could take a job."""
    return bool(machine._workers.look().busy)


class QueueMachine(RuleBasedStateMachine):
    """Subclass it, set `app_bus`, and say what must be true: in methods with Hypothesis'
    `@invariant()`, after every step; and in `at_rest`, when all is worked off. Then
    `TestMine = Mine.TestCase`.

    An AssertionError in a handler, or in what it calls, fails the test; other exceptions fail the
    job, as in a worker. Handlers are interrupted between their own lines; what a line calls is
    taken to happen as a whole. An async handler stalls before its first line or after its last.
    """

    app_bus: ClassVar[Bus | AsyncBus]
    """The application's bus, with its handlers. It is not connected."""
    messages: ClassVar[st.SearchStrategy[Any] | None] = None
    """What is published: messages, or Envelopes that say more. None: any that has a handler."""
    also: ClassVar[Sequence[Redirectable]] = ()
    """Further buses and clients that the application publishes with; see `memory`."""

    rest_limit: ClassVar[int] = 500
    """More attempts than all jobs of an example take together; see `at_rest`."""

    bus: MemoryBus | AsyncMemoryBus
    """What the handlers run on, to ask it for `published`, `failed` and the like."""

    def start(self) -> None:
        """At the beginning of each example: forget what was, make fakes anew."""

    def at_rest(self) -> None:
        """When all is worked off, as at the end of each example: jobs are completed or failed."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.TestCase.settings = settings(cls.TestCase.settings, stateful_step_count=STEPS)

    def __init__(self) -> None:
        super().__init__()
        self._outside = sys.exc_info()[1]
        self._published: list[Any] = []
        self._workers = MachineWorkers(self._app_bus(), self.also)
        self.bus = self._workers.bus
        functions = [each.function for each in self._workers.consumers]
        self._most_lines = max(map(lines_in, filter(None, functions)), default=0)
        self.start()

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """What a coroutine answers, on the event loop of the async handlers."""
        return self._workers.run(work)

    @precondition(has_room)
    @rule(message=chosen(lambda machine: machine._strategy()))
    def publish(self, message: Any) -> None:
        """A message is published."""
        self._workers.publish(message)
        self._published.append(message)

    @precondition(lambda self: self._published and has_room(self))
    @rule(nth=chosen(lambda machine: st.integers(0, len(machine._published) - 1)))
    def publish_again(self, nth: int) -> None:
        """A publisher did not learn that it had succeeded, and publishes the same once more."""
        self._workers.publish(self._published[nth])

    @precondition(has_work)
    @rule(queue=queues)
    def work(self, queue: str) -> None:
        """A worker handles the next job that is due."""
        lease = self._workers.take(queue)
        self._workers.deliver(lease, self._workers.handle(lease))

    @precondition(has_work)
    @rule(queue=queues, line=lines)
    def die(self, queue: str, line: int) -> None:
        """A worker dies before a line of the handler, or after the last one."""
        lease = self._workers.take(queue)

        def end(where: str) -> None:
            self._workers.tell_of_worker(lease, f"dies before {where}")
            raise WorkerDied

        with Interruption(self._workers.function_of(lease), line, end) as interruption:
            self._workers.handle(lease)
        if not interruption.reached:
            self._workers.tell_of_worker(lease, "has handled it, and dies before it says so")

    @precondition(has_work)
    @rule(queue=queues, line=lines)
    def fail(self, queue: str, line: int) -> None:
        """A line of the handler raises, instead of doing what it does."""
        lease = self._workers.take(queue)

        def raise_there(where: str) -> None:
            raise InjectedFailure(f"instead of {where}")

        with Interruption(self._workers.function_of(lease), line, raise_there):
            settlement = self._workers.handle(lease)
        self._workers.deliver(lease, settlement)

    @precondition(has_work)
    @rule(queue=queues, line=lines)
    def stall(self, queue: str, line: int) -> None:
        """A worker stands still until its lease is over and others had the job; then it goes on,
        as if nothing had been."""
        lease = self._workers.take(queue)

        def let_others_work(where: str) -> None:
            self._workers.tell_of_worker(lease, f"stalls before {where}; its lease ends")
            over_ms = max(0, lease.lock_until_ms - self.bus.now_ms)
            backoff_ms = self._workers.backoff_ms(lease)
            self._workers.run_for(over_ms + backoff_ms, self.rest_limit)
            self._workers.tell_of_worker(lease, "goes on")

        function = self._workers.function_of(lease)
        if isinstance(self.bus, AsyncMemoryBus):
            # On its event loop nothing else can run while a line is held up.
            function = None
            if line == 0:
                let_others_work("its first line")
        with Interruption(function, line, let_others_work) as interruption:
            settlement = self._workers.handle(lease)
        if not interruption.reached and (line > 0 or isinstance(self.bus, MemoryBus)):
            let_others_work("it says that it is done")
        self._workers.deliver(lease, settlement)

    @precondition(lambda self: self._workers.look().is_later)
    @rule()
    def wait(self) -> None:
        """Time passes until the next delayed job falls due or a lease ends."""
        self._workers.wait()

    @precondition(lambda self: self._published)
    @rule()
    def come_to_rest(self) -> None:
        """There are no faults for a while, and everything is worked off."""
        note("# all is worked off")
        self._workers.run_for(REST_MS, self.rest_limit)
        self._check_invariants()
        self.at_rest()

    def teardown(self) -> None:
        """Comes to rest for good."""
        try:
            # Not where the example has failed already: it is told, and nothing else.
            if sys.exc_info()[1] is self._outside:
                self.come_to_rest()
        finally:
            self._workers.close()

    def _check_invariants(self) -> None:
        found: Any = self.invariants
        if callable(found):  # it was a method in earlier releases of Hypothesis
            found = found()
        for invariant in found:
            if all(holds(self) for holds in invariant.preconditions):
                invariant.function(self)

    def _app_bus(self) -> Bus | AsyncBus:
        bus = getattr(self, "app_bus", None)
        if not isinstance(bus, (Bus, AsyncBus)):
            name = type(self).__name__
            raise InvalidArgument("app_bus", f"set it in {name}, to the bus with the handlers")
        return bus

    def _strategy(self) -> st.SearchStrategy[Any]:
        if self.messages is not None:
            return self.messages
        types = [each.message_type for each in self._workers.consumers]
        strategies = [_messages_of(each) for each in types if each is not None]
        if not strategies:
            raise InvalidArgument("messages", f"set them in {type(self).__name__}, to a strategy")
        return st.one_of(strategies)


def _messages_of(message_type: MessageType[Any]) -> st.SearchStrategy[Any]:
    """As `publish_many` takes them: the values of a TypedDict do not tell what they are of."""
    of_type = payloads(message_type)
    if is_typeddict(message_type.cls):
        return st.builds(Envelope, of_type, message_type=st.just(message_type.cls))
    return of_type

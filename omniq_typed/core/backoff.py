"""Retry policies: how long a failed job waits. Pure: the random number is passed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from omniq_typed.core.arguments import check_int
from omniq_typed.errors import InvalidArgument
from omniq_typed.protocols import NEVER, RetryPolicy


@dataclass(frozen=True, slots=True)
class JobBackoff:
    """The backoff_ms that the job was published with."""

    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        """None: the server takes the job's own."""
        return None


@dataclass(frozen=True, slots=True)
class Never:
    """To the failed lane at once, whatever attempts are left."""

    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        """NEVER."""
        return NEVER


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same pause before every attempt."""

    pause_ms: int

    def __post_init__(self) -> None:
        check_int("pause_ms", self.pause_ms, 0)

    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        """`pause_ms`."""
        return self.pause_ms


@dataclass(frozen=True, slots=True)
class Linear:
    """first_ms, then `step_ms` longer each time, at most max_ms; with `jitter` a random part of
    that."""

    first_ms: int
    step_ms: int
    max_ms: int
    jitter: bool = False

    def __post_init__(self) -> None:
        check_int("first_ms", self.first_ms, 0)
        check_int("step_ms", self.step_ms, 0)
        check_int("max_ms", self.max_ms, 0)
        _check_jitter(self.jitter)

    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        """0 to min(max_ms, first_ms + step_ms * (attempt - 1)); without jitter exactly that."""
        bound = min(self.max_ms, self.first_ms + self.step_ms * max(attempt - 1, 0))
        return int(bound * unit) if self.jitter else bound


@dataclass(frozen=True, slots=True)
class Exponential:
    """first_ms, then `factor` times as long each time, at most max_ms; with full jitter (a random
    part of that) so that jobs that failed together do not come back together."""

    first_ms: int = 1_000
    factor: float = 2.0
    max_ms: int = 3_600_000
    jitter: bool = True

    def __post_init__(self) -> None:
        check_int("first_ms", self.first_ms, 0)
        check_int("max_ms", self.max_ms, 0)
        _check_jitter(self.jitter)
        factor: object = self.factor
        if not isinstance(factor, (int, float)) or not 1 <= factor <= 1000:
            raise InvalidArgument("factor", f"{factor!r} is out of range; use 1 to 1000")

    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        """0 to min(max_ms, first_ms * factor ** (attempt - 1)); without jitter exactly that."""
        # 2 ** 1024 overflows a float; any bound is reached long before.
        exponent = min(max(attempt - 1, 0), 64)
        bound = min(float(self.max_ms), self.first_ms * self.factor**exponent)
        return int(bound * unit) if self.jitter else int(bound)


@dataclass(frozen=True, slots=True)
class Delays:
    """One pause per attempt, in ms; the last one repeats. Kept as a tuple."""

    pauses_ms: Sequence[int]

    def __post_init__(self) -> None:
        given: object = self.pauses_ms
        if isinstance(given, (str, bytes)) or not isinstance(given, Sequence):
            raise InvalidArgument("pauses_ms", f"{given!r} is no list of milliseconds")
        if not given:
            raise InvalidArgument("pauses_ms", "is empty; name one pause or more, or use Never()")
        for index, pause in enumerate(given):
            check_int(f"pauses_ms[{index}]", pause, 0)
        object.__setattr__(self, "pauses_ms", tuple(given))

    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        """The pause at place `attempt`, counted from 1, or the last one."""
        place = min(max(attempt, 1), len(self.pauses_ms))
        return self.pauses_ms[place - 1]


@dataclass(frozen=True, slots=True)
class ByException:
    """A policy for each class of errors, subclasses included; the one for the class nearest to the
    error's own decides, `otherwise` where there is none."""

    policies: Mapping[type[BaseException], RetryPolicy] = field(hash=False)
    otherwise: RetryPolicy = JobBackoff()

    def __post_init__(self) -> None:
        given: object = self.policies
        if not isinstance(given, Mapping):
            raise InvalidArgument("policies", f"{given!r} is no dict of exception class to policy")
        for cls, policy in given.items():
            if not isinstance(cls, type) or not issubclass(cls, BaseException):
                raise InvalidArgument("policies", f"{cls!r} is no exception class")
            check_policy(f"policies[{cls.__name__}]", policy)
        check_policy("otherwise", self.otherwise)
        # A copy: what the caller does to his dict later changes no policy.
        object.__setattr__(self, "policies", dict(given))

    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        """What the policy of the error's class says."""
        for cls in type(error).__mro__:
            policy = self.policies.get(cls)
            if policy is not None:
                return policy.delay_ms(attempt, error, unit)
        return self.otherwise.delay_ms(attempt, error, unit)


def check_policy(name: str, policy: object) -> None:
    """Raises InvalidArgument, with `name` as its field, for what is no retry policy."""
    if isinstance(policy, type):
        raise InvalidArgument(name, f"is the class {policy.__name__}; pass {policy.__name__}(...)")
    if not callable(getattr(policy, "delay_ms", None)):
        raise InvalidArgument(name, f"{policy!r} is no retry policy: it has no delay_ms")


def _check_jitter(jitter: object) -> None:
    if not isinstance(jitter, bool):
        raise InvalidArgument("jitter", f"{jitter!r} is neither True nor False")

"""What goes in and comes out: frozen dataclasses and enums without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

from omniq_typed.errors import DuplicateJob, InvalidArgument


class Lane(StrEnum):
    """Where a job lies. `GWAIT` is the waiting list of the job's group."""

    WAIT = "wait"
    DELAYED = "delayed"
    ACTIVE = "active"
    FAILED = "failed"
    COMPLETED = "completed"
    GWAIT = "gwait"


Ordering = Literal["relaxed", "strict"]
"""Where a retried job of a group goes: to the tail (relaxed), or back to the head with the whole
group waiting for it (strict; such a group runs one job at a time)."""


class Compatibility(StrEnum):
    """What a new version of a message type owes to the versions before it. The transitive ones
    look at all earlier versions, the others at the last one."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    """New readers take what old writers wrote."""
    FORWARD = "FORWARD"
    """Old readers take what new writers write."""
    FULL = "FULL"
    """Both."""
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"


CompatibilityName = Literal[
    "NONE",
    "BACKWARD",
    "FORWARD",
    "FULL",
    "BACKWARD_TRANSITIVE",
    "FORWARD_TRANSITIVE",
    "FULL_TRANSITIVE",
]


class ChildAck:
    """Negative answers of `child_ack`; any answer ≥ 0 is the number of children still to finish."""

    NO_COUNTER = -1
    ALREADY_FINISHED = -2


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to publish. Times in ms; `due_ms` is an absolute time, 0 = now."""

    job_id: str
    payload: bytes
    max_attempts: int = 3
    timeout_ms: int = 30_000
    backoff_ms: int = 5_000
    due_ms: int = 0
    gid: str = ""
    group_limit: int = 0
    ordering: Ordering = "relaxed"
    side: Mapping[str, str] = field(default_factory=dict)
    """Extra fields of the hash: `msg_type`, `msg_version`, ... (see docs/wire.md)."""


class Published(NamedTuple):
    """What became of one published job.

    `duplicate`: the id existed, and nothing was changed; `same_content`: its payload and type
    equal the new ones (True for a new job); `state`: the lane of the job that has the id now;
    `stored_payload`, `stored_msg_type`: what that job holds, where it is not the same.
    """

    job_id: str
    state: str
    duplicate: bool
    same_content: bool
    stored_payload: bytes | None = None
    stored_msg_type: str = ""


class PublishResult(NamedTuple):
    """What became of one message of `publish_many` or `publish_each`.

    `duplicate`: a job with this id and the same content was there already. `error`: why the
    message was not published; None: its job is in `state`, the lane. Of `publish_each` it may be
    what is wrong with the message, which has no id then.
    """

    job_id: str
    queue: str
    state: str
    duplicate: bool = False
    error: DuplicateJob | InvalidArgument | None = None

    @property
    def ok(self) -> bool:
        """Whether the message is on its way, by this call or an earlier one."""
        return self.error is None


class Reserved(NamedTuple):
    """A leased job. The lease ends at `lock_until_ms` unless renewed with `lease_token`.

    `deferrals`: how often workers have left it for others, since it was published or retried by
    an operator. A named tuple, as there is one per job: a frozen dataclass takes four times as long
    to make.
    """

    job_id: str
    payload: bytes
    lock_until_ms: int
    attempt: int
    max_attempts: int
    gid: str
    lease_token: str
    timeout_ms: int
    created_ms: int
    msg_type: str = ""
    msg_version: str = ""
    msg_schema: str = ""
    msg_source: str = ""
    msg_correlation_id: str = ""
    msg_causation_id: str = ""
    msg_traceparent: str = ""
    msg_tracestate: str = ""
    deferrals: int = 0


@dataclass(frozen=True, slots=True)
class ReserveJob:
    """One leased job as `OmniqClient.reserve` gives it, under OmniQ's names."""

    job_id: str
    payload: str
    lock_until_ms: int
    attempt: int
    max_attempts: int
    gid: str
    lease_token: str
    status: Literal["JOB"] = "JOB"


@dataclass(frozen=True, slots=True)
class ReservePaused:
    """The queue is paused."""

    status: Literal["PAUSED"] = "PAUSED"


class Outcome(StrEnum):
    """How a lease ends."""

    ACK = "ack"
    RETRY = "retry"
    FAIL = "fail"
    """Permanent: to `failed` whatever attempts are left."""
    INVALID = "invalid"
    """Permanent, and the attempt is taken back: no handler saw the job."""
    RELEASE = "release"
    """Back to the head of its lane, the attempt taken back."""
    DEFER = "defer"
    """Left for other workers: delayed, the attempt taken back, the deferral counted."""


class Settlement(NamedTuple):
    """The end of one lease. `delay_ms`, of RETRY and DEFER: None is the job's own backoff."""

    job_id: str
    lease_token: str
    outcome: Outcome
    delay_ms: int | None = None
    reason: str = "handler_error"
    message: str = ""
    errors_json: str = "[]"


class Settled(NamedTuple):
    """What became of one settlement.

    `status` is OK, RETRY (`detail`: due time, ms), FAILED, RELEASED or ERR (`detail`:
    TOKEN_REQUIRED, TOKEN_MISMATCH, NOT_ACTIVE: the lease was lost and nothing changed).
    """

    job_id: str
    status: str
    detail: str


class BatchResult(NamedTuple):
    """One result of a batch: `status` OK or ERR, `reason` None or a code such as NO_JOB."""

    job_id: str
    status: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Reservation:
    """The answer to one reserve. `next_due_ms`: when the next delayed job or lease end falls due,
    0 = none; `now_ms`: the server's time."""

    paused: bool
    now_ms: int
    next_due_ms: int
    promoted: int
    reaped: int
    settled: tuple[Settled, ...]
    jobs: tuple[Reserved, ...]


@dataclass(frozen=True, slots=True)
class HeartbeatResult:
    """`lock_until_ms` is the new end of the lease, or None where it was lost (`error`: why)."""

    job_id: str
    lock_until_ms: int | None
    error: str


@dataclass(frozen=True, slots=True)
class HandlerInfo:
    """A handler of a bus. `message`: name and version of what it takes, the name alone where it
    takes all versions; `handler`: its name in Python; `concurrency`: jobs at once that it asks for,
    of which the highest counts for the queue."""

    queue: str
    message: str
    handler: str
    concurrency: int


LaneState = Literal["idle", "working", "waiting_for_server", "stuck", "ended"]
"""What a lane does. `stuck`: its handler is over its timeout and cannot be ended, or neither an
answer nor an error came for a call that is long overdue; `ended`: its thread or task is over."""


@dataclass(frozen=True, slots=True)
class LaneHealth:
    """One lane of execution of a running worker; of an AsyncBus, one queue.

    `since_answered_s`: seconds since the server last answered it; `job_id`: what it runs at the
    moment ('' = nothing, or many), for `working_s` seconds so far; `restarts`: how often it died of
    a fault of the worker itself and was started again.
    """

    queue: str
    name: str
    state: LaneState
    since_answered_s: float
    job_id: str = ""
    working_s: float = 0.0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """How the running worker of a bus is.

    `ready`: it takes jobs: it runs, is not stopping, the server answers it, and no lane is stuck.
    `live`: nothing that only a restart could mend: no lane is stuck or has died.
    `since_answered_s`: seconds since the server last answered any of its lanes.
    `loop_lag_s`: of an AsyncBus, for how long a handler has been blocking the event loop, 0.0 =
    not at all; from a second on it is not ready.
    """

    ready: bool
    live: bool
    since_answered_s: float = 0.0
    lanes: tuple[LaneHealth, ...] = ()
    loop_lag_s: float = 0.0


@dataclass(frozen=True, slots=True)
class QueueStats:
    """Lengths of a queue's lanes. Times in ms, 0 = never."""

    queue: str
    paused: bool
    waiting: int
    group_waiting: int
    waiting_total: int
    active: int
    delayed: int
    failed: int
    completed_kept: int
    groups_ready: int
    last_activity_ms: int
    last_enqueue_ms: int
    last_reserve_ms: int
    last_finish_ms: int


@dataclass(frozen=True, slots=True)
class LaneJob:
    """A job as listed in a lane, without its payload. Times in ms, 0 = not yet."""

    lane: str
    job_id: str
    idx_score_ms: int
    """When it entered the lane."""
    state: str
    gid: str
    attempt: int
    max_attempts: int
    due_ms: int
    lock_until_ms: int
    queued_ms: int
    first_started_ms: int
    last_started_ms: int
    completed_ms: int
    failed_ms: int
    updated_ms: int
    last_error: str
    msg_type: str
    msg_version: str
    failure: str
    """JSON object of the last failure, '' = none."""


@dataclass(frozen=True, slots=True)
class JobInfo:
    """Everything stored of one job. Times in ms, 0 = not yet. `side` holds the `msg_*` fields."""

    job_id: str
    state: str
    gid: str
    attempt: int
    max_attempts: int
    timeout_ms: int
    backoff_ms: int
    lease_token: str
    lock_until_ms: int
    due_ms: int
    payload: str
    """The payload as text; bytes that are not UTF-8 appear as backslash escapes."""
    payload_raw: bytes
    last_error: str
    last_error_ms: int
    created_ms: int
    updated_ms: int
    queued_ms: int
    first_started_ms: int
    last_started_ms: int
    completed_ms: int
    failed_ms: int
    failure: str
    side: Mapping[str, str]
    deferrals: int = 0
    """How often workers have left it for others; `failure` says why."""


@dataclass(frozen=True, slots=True)
class GroupReady:
    """A group that can hand out a job, and since when (ms)."""

    gid: str
    score_ms: int


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Jobs may start `per_s` times a second on average, and `burst` of them at once."""

    per_s: float
    burst: int


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """Limits of a queue as a whole, None = none. `concurrency`: jobs that may be leased at once."""

    concurrency: int | None
    rate: RateLimit | None


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """`held_job_id`: the failed head that a strictly ordered group waits for, '' = none; `rate`:
    None = no limit of its own."""

    gid: str
    inflight: int
    limit: int
    ready: bool
    waiting_count: int
    strict: bool
    held_job_id: str
    rate: RateLimit | None = None


@dataclass(frozen=True, slots=True)
class QueueOverview:
    """One queue at a glance: its counters, next groups, and the newest jobs of each lane."""

    stats: QueueStats
    ready_groups: tuple[GroupReady, ...]
    wait: tuple[LaneJob, ...]
    active: tuple[LaneJob, ...]
    delayed: tuple[LaneJob, ...]
    failed: tuple[LaneJob, ...]
    completed: tuple[LaneJob, ...]


@dataclass(frozen=True, slots=True)
class VersionPage:
    """One step of counting a lane. `next_cursor` 0: the lane is done; `rows`: message type,
    version and number of jobs."""

    lane: str
    next_cursor: int
    rows: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class VersionCount:
    """How many jobs there are of one version of a message type. `msg_type` '': jobs that name
    none, which are version 1; version 0: one that is no number."""

    msg_type: str
    version: int
    waiting: int
    delayed: int
    active: int
    failed: int

    @property
    def total(self) -> int:
        """In all four lanes."""
        return self.waiting + self.delayed + self.active + self.failed

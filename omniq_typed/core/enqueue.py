"""Commands that publish. Scripts: lua/commands/enqueue.lua, lua/commands/enqueue_one.lua."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from omniq_typed.core.arguments import (
    DEFAULT_MAX_PAYLOAD_BYTES,
    check_int,
    check_ordering,
    check_payload,
)
from omniq_typed.core.command import CHECK, Arg, Command
from omniq_typed.core.keys import check_gid, check_job_id, entry_keys, is_utf8, queue_keys
from omniq_typed.core.payloads import check_raw
from omniq_typed.core.replies import text
from omniq_typed.core.scripts import script
from omniq_typed.errors import DuplicateJob, InvalidArgument
from omniq_typed.models import NewJob, Ordering, Published

R = TypeVar("R")

MAX_ATTEMPTS = 10**9
_SIDE_NAME = re.compile(r"msg_[a-z_]{1,60}\Z")
_COMMON_SIDE = ("msg_type", "msg_version", "msg_schema", "msg_source")
"""Side fields that jobs of one type have in common."""


@dataclass(frozen=True, slots=True)
class JobKind:
    """What many jobs have in common, checked. `words`: as enqueue takes it; `plain_words`: as
    enqueue_one does, None for jobs with a group or a time; `msg_type` and `gid`: '' = none."""

    words: tuple[Arg, ...]
    plain_words: tuple[Arg, ...] | None
    msg_type: str
    gid: str


# Not frozen, for there is one per job, and freezing would double what it costs.
@dataclass(slots=True)
class Record:
    """A job to publish, checked. `own`: names and values of the side fields that its kind has
    not."""

    job_id: str
    payload: bytes
    kind: JobKind
    own: tuple[str, ...]


def job_kind(
    *,
    max_attempts: int,
    timeout_ms: int,
    backoff_ms: int,
    due_ms: int,
    gid: str,
    group_limit: int,
    ordering: Ordering,
    side: Mapping[str, str],
) -> JobKind:
    """What `NewJob` says under these names, checked; of `side` what jobs of one type have in
    common. Raises InvalidArgument."""
    _check_group(gid, group_limit, ordering)
    common = {name: side[name] for name in _COMMON_SIDE if name in side}
    policy: tuple[Arg, ...] = (
        check_int("max_attempts", max_attempts, 1, MAX_ATTEMPTS),
        check_int("timeout_ms", timeout_ms, 0),
        check_int("backoff_ms", backoff_ms, 0),
    )
    place: tuple[Arg, ...] = (
        check_int("due_ms", due_ms, 0),
        gid,
        check_int("group_limit", group_limit, 0, MAX_ATTEMPTS),
        "strict" if ordering == "strict" else "",
    )
    fields: tuple[Arg, ...] = (len(common), *_checked_side(common))
    is_plain = gid == "" and due_ms == 0
    return JobKind(
        words=(*policy, *place, *fields),
        plain_words=(*policy, *fields) if is_plain else None,
        msg_type=common.get("msg_type", ""),
        gid=gid,
    )


def own_side(side: Mapping[str, str]) -> tuple[str, ...]:
    """The side fields that are a job's own. Raises InvalidArgument."""
    return _checked_side({name: side[name] for name in side if name not in _COMMON_SIDE})


def record(job: NewJob, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> Record:
    """A job, checked. Raises InvalidArgument where it could never be published."""
    kind = job_kind(
        max_attempts=job.max_attempts,
        timeout_ms=job.timeout_ms,
        backoff_ms=job.backoff_ms,
        due_ms=job.due_ms,
        gid=job.gid,
        group_limit=job.group_limit,
        ordering=job.ordering,
        side=job.side,
    )
    payload = check_payload(job.payload, max_payload_bytes)
    return Record(check_job_id(job.job_id), payload, kind, own_side(job.side))


def enqueue(
    queue: str,
    jobs: Iterable[NewJob],
    *,
    now_ms: int = 0,
    max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
) -> Command[list[Published]]:
    """Publishes jobs in the order given; one result per job.

    Raises InvalidArgument for a job that could never be published; then none of them is.
    """
    records = [record(job, max_payload_bytes) for job in jobs]
    return enqueue_records(queue, records, partial(_parse, records), now_ms=now_ms)


def enqueue_records(
    queue: str, records: Sequence[Record], parse: Callable[[Any], R], *, now_ms: int = 0
) -> Command[R]:
    """Publishes checked jobs in the order given; `parse` is given the script's reply."""
    kinds: dict[tuple[Arg, ...], int] = {}
    rows: list[Arg] = []
    last, nth = None, ""
    for each in records:
        if each.kind is not last:
            last = each.kind
            # As text: of numbers it would be made when they are sent, which takes longer.
            nth = str(kinds.setdefault(last.words, len(kinds) + 1))
        if each.own:
            rows += (each.job_id, each.payload, nth, str(len(each.own) // 2), *each.own)
        else:
            rows += (each.job_id, each.payload, nth, "0")
    args: list[Arg] = [check_int("now_ms_override", now_ms, 0), CHECK, len(kinds)]
    for words in kinds:
        args += words
    args.append(len(records))
    args += rows
    return Command(script("enqueue"), queue_keys(queue), args, parse, repeatable=True)


def check_jobs(jobs: Sequence[NewJob]) -> Sequence[NewJob]:
    """A list of NewJob, each with a payload that is a JSON object or array. Raises
    InvalidArgument."""
    if not isinstance(jobs, Sequence):
        raise InvalidArgument("jobs", f"is a {type(jobs).__name__}; pass a list of NewJob")
    for job in jobs:
        if not isinstance(job, NewJob):
            raise InvalidArgument("jobs", f"has a {type(job).__name__} in it, not a NewJob")
        check_raw(job.payload)
    return jobs


def publish_one(
    queue: str,
    job: NewJob,
    *,
    now_ms: int = 0,
    max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
    same: Callable[[bytes], bool] | None = None,
) -> Command[str]:
    """Publishes one job; answers its id, also where the same job was published before.

    `same` is asked where the id is taken by other bytes of the same message type: whether they
    are the same message all the same. Raises DuplicateJob where the content is another.
    """
    return publish_record(queue, record(job, max_payload_bytes), now_ms=now_ms, same=same)


def publish_record(
    queue: str,
    job: Record,
    *,
    now_ms: int = 0,
    same: Callable[[bytes], bool] | None = None,
    is_alone: bool = True,
) -> Command[str]:
    """As `publish_one`, of a checked job. `is_alone`: nothing is sent behind it before its answer
    is there. Else it goes by the script of batches: if the server knew that one, and had to be
    sent enqueue_one first, the batch behind it would be published before it."""

    def parse(reply: Any) -> str:
        for row in reply:
            error = duplicate_error(job, published(job, row), same)
            if error is not None:
                raise error
        return job.job_id

    # Not as of `enqueue_records`, which takes twice as long for one.
    if type(now_ms) is not int or now_ms != 0:
        check_int("now_ms_override", now_ms, 0)
    kind, own = job.kind, job.own
    common: tuple[Arg, ...]
    rest: tuple[Arg, ...]
    if is_alone and kind.plain_words is not None:
        called, keys = script("enqueue_one"), entry_keys(queue)
        common = (now_ms, CHECK, *kind.plain_words)
        rest = (job.job_id, job.payload, *own)
    else:
        called, keys = script("enqueue"), queue_keys(queue)
        common = (now_ms, CHECK, 1, *kind.words, 1)
        rest = (job.job_id, job.payload, 1, len(own) // 2, *own)
    same_args = len(common) if now_ms == 0 else 0
    return Command(called, keys, common + rest, parse, True, same_args=same_args)


def duplicate_error(
    job: Record, found: Published, same: Callable[[bytes], bool] | None = None
) -> DuplicateJob | None:
    """Why a job was not published; None where it was, now or before. `same` as in `publish_one`."""
    stored = found.stored_payload
    if found.same_content or stored is None:
        return None
    msg_type = job.kind.msg_type
    if same is not None and found.stored_msg_type == msg_type and same(stored):
        return None
    return DuplicateJob(
        job.job_id,
        found.state,
        content_fingerprint(found.stored_msg_type, stored),
        content_fingerprint(msg_type, job.payload),
    )


def content_fingerprint(msg_type: str, payload: bytes) -> str:
    """16 hex digits that name the content of a job. `msg_type` '': it has none."""
    # A NUL between them, which neither a type's name nor JSON holds.
    return hashlib.sha256(msg_type.encode() + b"\0" + payload).hexdigest()[:16]


def jobs_published(command: Command[Any]) -> list[NewJob]:
    """The jobs that a command is to publish: the reverse of what the functions above make of them.
    None where it is no such command."""
    if command.script.name == "enqueue":
        return list(_jobs_of_many(iter(command.args[2:])))
    if command.script.name == "enqueue_one":
        return [_job_of_one(iter(command.args[2:]))]
    return []


def jobs_added(command: Command[Any], reply: Any) -> list[NewJob]:
    """Those of `jobs_published` that were not there before, by the script's reply."""
    jobs = jobs_published(command)
    duplicates = {entry[0] for entry in reply if entry[1] == b"DUPLICATE"} if jobs else set()
    return [job for nth, job in enumerate(jobs, 1) if nth not in duplicates]


def _jobs_of_many(rest: Iterator[Arg]) -> Iterator[NewJob]:
    kinds = [(list(islice(rest, 7)), _pairs(rest)) for _ in range(int(next(rest)))]
    for _ in range(int(next(rest))):
        job_id, payload, nth = islice(rest, 3)
        (*policy, due, gid, limit, strict), side = kinds[int(nth) - 1]
        job = _plain_job(job_id, payload, policy, {**side, **_pairs(rest)})
        yield replace(
            job,
            due_ms=int(due),
            gid=str(gid),
            group_limit=int(limit),
            ordering="strict" if strict == "strict" else "relaxed",
        )


def _job_of_one(rest: Iterator[Arg]) -> NewJob:
    policy, side = list(islice(rest, 3)), _pairs(rest)
    job_id, payload = islice(rest, 2)
    return _plain_job(job_id, payload, policy, {**side, **_paired(rest)})


def _plain_job(job_id: Arg, payload: Arg, policy: Sequence[Arg], side: Mapping[str, str]) -> NewJob:
    """`policy`: attempts, timeout, backoff."""
    content = payload if isinstance(payload, bytes) else str(payload).encode()
    attempts, timeout, backoff = map(int, policy)
    return NewJob(str(job_id), content, attempts, timeout, backoff, side=side)


def _pairs(rest: Iterator[Arg]) -> dict[str, str]:
    """Behind their number."""
    return _paired(islice(rest, 2 * int(next(rest))))


def _paired(given: Iterable[Arg]) -> dict[str, str]:
    words = [str(word) for word in given]
    return dict(zip(words[::2], words[1::2], strict=True))


def _checked_side(side: Mapping[str, str]) -> tuple[str, ...]:
    """Names and values, alternating."""
    return tuple(word for name, value in side.items() for word in _check_side(name, value))


def _check_side(name: object, value: object) -> tuple[str, str]:
    # Any other field is the script's own: `state` among them would put the job into no lane.
    if not isinstance(name, str) or not _SIDE_NAME.match(name):
        raise InvalidArgument("side", f"{name!r} is no extra field; they are named msg_...")
    if not isinstance(value, str) or not is_utf8(value):
        raise InvalidArgument("side", f"{name} must be a str of valid Unicode, not {value!r:.100}")
    return name, value


def _check_group(gid: str, group_limit: int, ordering: Ordering) -> None:
    check_ordering(ordering)
    if gid != "":
        check_gid(gid)
    elif ordering == "strict":
        raise InvalidArgument("ordering", "'strict' orders the jobs of a group; pass a gid")
    if ordering == "strict" and group_limit > 1:
        raise InvalidArgument(
            "group_limit", "a strictly ordered group runs one job at a time; leave it out"
        )


def _parse(jobs: Sequence[Record], reply: Any) -> list[Published]:
    found = [Published(job.job_id, "wait", False, True) for job in jobs]
    for row in reply:
        nth = row[0] - 1
        found[nth] = published(jobs[nth], row)
    return found


def published(job: Record, row: Sequence[Any]) -> Published:
    """What a row of the script's reply says of a job. Jobs without a row are new, and wait."""
    return _published(job.job_id, *row[1:])


def _published(
    job_id: str,
    status: bytes,
    state: bytes,
    content: bytes = b"same",
    stored_payload: bytes | None = None,
    stored_msg_type: bytes = b"",
) -> Published:
    return Published(
        job_id=job_id,
        state=text(state),
        duplicate=status == b"DUPLICATE",
        same_content=content == b"same",
        stored_payload=stored_payload,
        stored_msg_type=text(stored_msg_type),
    )

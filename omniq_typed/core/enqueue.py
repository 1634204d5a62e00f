"""Commands that publish. Script: lua/commands/enqueue.lua."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from omniq_typed.core.arguments import (
    DEFAULT_MAX_PAYLOAD_BYTES,
    check_int,
    check_ordering,
    check_payload,
)
from omniq_typed.core.command import Arg, Command
from omniq_typed.core.keys import check_gid, check_job_id, is_utf8, queue_keys
from omniq_typed.core.payloads import check_raw
from omniq_typed.core.replies import text
from omniq_typed.core.scripts import script
from omniq_typed.errors import DuplicateJob, InvalidArgument
from omniq_typed.models import NewJob, Ordering, Published

R = TypeVar("R")

MAX_ATTEMPTS = 10**9
_SIDE_NAME = re.compile(r"msg_[a-z_]{1,60}\Z")
NEW = b"OK"
"""What the script's reply says second of a job that did not exist."""


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What jobs are published with besides id and payload, checked, as the script takes it: many
    jobs have the same. `msg_type`: the one among the side fields, '' = none."""

    words: tuple[Arg, ...]
    msg_type: str


# Not frozen, for there is one per job, and freezing would double what it costs.
@dataclass(slots=True)
class Record:
    """A job to publish, checked."""

    job_id: str
    payload: bytes
    options: JobOptions


def job_options(
    *,
    max_attempts: int,
    timeout_ms: int,
    backoff_ms: int,
    due_ms: int,
    gid: str,
    group_limit: int,
    ordering: Ordering,
    side: Mapping[str, str],
) -> JobOptions:
    """What `NewJob` says under these names, checked. Raises InvalidArgument."""
    _check_group(gid, group_limit, ordering)
    words: list[Arg] = [
        check_int("max_attempts", max_attempts, 1, MAX_ATTEMPTS),
        check_int("timeout_ms", timeout_ms, 0),
        check_int("backoff_ms", backoff_ms, 0),
        check_int("due_ms", due_ms, 0),
        gid,
        check_int("group_limit", group_limit, 0, MAX_ATTEMPTS),
        "strict" if ordering == "strict" else "",
        len(side),
    ]
    for name, value in side.items():
        words += _check_side(name, value)
    return JobOptions(tuple(words), side.get("msg_type", ""))


def record(job: NewJob, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> Record:
    """A job, checked. Raises InvalidArgument where it could never be published."""
    options = job_options(
        max_attempts=job.max_attempts,
        timeout_ms=job.timeout_ms,
        backoff_ms=job.backoff_ms,
        due_ms=job.due_ms,
        gid=job.gid,
        group_limit=job.group_limit,
        ordering=job.ordering,
        side=job.side,
    )
    return Record(check_job_id(job.job_id), check_payload(job.payload, max_payload_bytes), options)


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
    return enqueue_records(queue, records, _parse, now_ms=now_ms)


def enqueue_records(
    queue: str, records: Sequence[Record], parse: Callable[[Any], R], *, now_ms: int = 0
) -> Command[R]:
    """Publishes checked jobs in the order given; `parse` is given the script's reply."""
    args: list[Arg] = [check_int("now_ms_override", now_ms, 0), len(records)]
    for each in records:
        args += (each.job_id, each.payload, *each.options.words)
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
) -> Command[str]:
    """As `publish_one`, of a checked job."""

    def parse(reply: Any) -> str:
        (entry,) = reply
        if entry[1] != NEW:
            error = duplicate_error(job, published(entry), same)
            if error is not None:
                raise error
        return job.job_id

    return enqueue_records(queue, [job], parse, now_ms=now_ms)


def duplicate_error(
    job: Record, found: Published, same: Callable[[bytes], bool] | None = None
) -> DuplicateJob | None:
    """Why a job was not published; None where it was, now or before. `same` as in `publish_one`."""
    stored = found.stored_payload
    if found.same_content or stored is None:
        return None
    msg_type = job.options.msg_type
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


def jobs_published(args: Sequence[Arg]) -> list[NewJob]:
    """The jobs in the arguments of an `enqueue` command: the reverse of what that makes of them."""
    jobs: list[NewJob] = []
    rest = iter(args[2:])
    for job_id in rest:
        payload, attempts, timeout, backoff, due, gid, limit, strict, sides = islice(rest, 9)
        side = [str(word) for word in islice(rest, 2 * int(sides))]
        jobs.append(
            NewJob(
                job_id=str(job_id),
                payload=payload if isinstance(payload, bytes) else str(payload).encode(),
                max_attempts=int(attempts),
                timeout_ms=int(timeout),
                backoff_ms=int(backoff),
                due_ms=int(due),
                gid=str(gid),
                group_limit=int(limit),
                ordering="strict" if strict == "strict" else "relaxed",
                side={
                    str(name): str(value) for name, value in zip(side[::2], side[1::2], strict=True)
                },
            )
        )
    return jobs


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


def _parse(reply: Any) -> list[Published]:
    return [published(entry) for entry in reply]


def published(entry: Sequence[Any]) -> Published:
    """One entry of the script's reply."""
    return _published(*entry)


def _published(
    job_id: bytes,
    status: bytes,
    state: bytes,
    content: bytes = b"same",
    stored_payload: bytes | None = None,
    stored_msg_type: bytes = b"",
) -> Published:
    return Published(
        job_id=text(job_id),
        state=text(state),
        duplicate=status != NEW,
        same_content=content == b"same",
        stored_payload=stored_payload,
        stored_msg_type=text(stored_msg_type),
    )

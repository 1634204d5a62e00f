"""Commands that publish. Script: lua/commands/enqueue.lua."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from omniq_typed.core.arguments import (
    DEFAULT_MAX_PAYLOAD_BYTES,
    check_int,
    check_ordering,
    check_payload,
)
from omniq_typed.core.command import CHECK, Arg, Command
from omniq_typed.core.keys import check_gid, check_job_id, is_utf8, queue_keys
from omniq_typed.core.payloads import check_raw
from omniq_typed.core.replies import text
from omniq_typed.core.scripts import script
from omniq_typed.errors import DuplicateJob, InvalidArgument
from omniq_typed.models import NewJob, Published

MAX_ATTEMPTS = 10**9
_SIDE_NAME = re.compile(r"msg_[a-z_]{1,60}\Z")
_COMMON_SIDE = ("msg_type", "msg_version", "msg_schema", "msg_source")
"""Side fields that jobs of one type have in common."""


def enqueue(
    queue: str,
    jobs: Sequence[NewJob],
    *,
    now_ms: int = 0,
    max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
) -> Command[list[Published]]:
    """Publishes jobs in the order given; one result per job.

    Raises InvalidArgument for a job that could never be published; then none of them is.
    """
    keys = queue_keys(queue)
    args: list[Arg] = [check_int("now_ms_override", now_ms, 0), CHECK]
    args += _records(jobs, max_payload_bytes)
    return Command(script("enqueue"), keys, args, partial(_parse, jobs), repeatable=True)


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
    command = enqueue(queue, [job], now_ms=now_ms, max_payload_bytes=max_payload_bytes)

    def parse(reply: Any) -> str:
        (published,) = command.parse(reply)
        error = duplicate_error(job, published, same)
        if error is not None:
            raise error
        return published.job_id

    return Command(command.script, command.keys, command.args, parse, repeatable=True)


def duplicate_error(
    job: NewJob, published: Published, same: Callable[[bytes], bool] | None = None
) -> DuplicateJob | None:
    """Why a job was not published; None where it was, now or before. `same` as in `publish_one`."""
    stored = published.stored_payload
    if published.same_content or stored is None:
        return None
    msg_type = job.side.get("msg_type", "")
    if same is not None and published.stored_msg_type == msg_type and same(stored):
        return None
    return DuplicateJob(
        job.job_id,
        published.state,
        content_fingerprint(published.stored_msg_type, stored),
        content_fingerprint(msg_type, job.payload),
    )


def content_fingerprint(msg_type: str, payload: bytes) -> str:
    """16 hex digits that name the content of a job. `msg_type` '': it has none."""
    # A NUL between them, which neither a type's name nor JSON holds.
    return hashlib.sha256(msg_type.encode() + b"\0" + payload).hexdigest()[:16]


def _records(jobs: Sequence[NewJob], max_payload_bytes: int) -> list[Arg]:
    """What follows the check in ARGV: what jobs have in common is sent and checked once."""
    kinds: dict[object, int] = {}
    common: list[Arg] = []
    records: list[Arg] = []
    for job in jobs:
        check_job_id(job.job_id)
        check_payload(job.payload, max_payload_bytes)
        side = job.side
        try:
            kind = (
                *(job.max_attempts, job.timeout_ms, job.backoff_ms, job.due_ms, job.gid),
                *(job.group_limit, job.ordering),
                *(side.get("msg_type"), side.get("msg_version"), side.get("msg_schema")),
                side.get("msg_source"),
            )
            nth = kinds.get(kind)
        except TypeError:  # what cannot be hashed is none of these
            _kind(job)
            raise
        if nth is None:
            common += _kind(job)
            nth = kinds[kind] = len(kinds) + 1
        own = _own_side(side)
        records += (job.job_id, job.payload, nth, len(own) // 2, *own)
    return [len(kinds), *common, len(jobs), *records]


def _kind(job: NewJob) -> list[Arg]:
    _check_group(job)
    record: list[Arg] = [
        check_int("max_attempts", job.max_attempts, 1, MAX_ATTEMPTS),
        check_int("timeout_ms", job.timeout_ms, 0),
        check_int("backoff_ms", job.backoff_ms, 0),
        check_int("due_ms", job.due_ms, 0),
        job.gid,
        check_int("group_limit", job.group_limit, 0, MAX_ATTEMPTS),
        "strict" if job.ordering == "strict" else "",
    ]
    side = [each for name in _COMMON_SIDE if name in job.side for each in (name, job.side[name])]
    for name, value in zip(side[::2], side[1::2], strict=True):
        _check_side(name, value)
    return [*record, len(side) // 2, *side]


def _own_side(side: Mapping[str, str]) -> list[Arg]:
    own: list[Arg] = []
    for name, value in side.items():
        if name not in _COMMON_SIDE:
            own += _check_side(name, value)
    return own


def jobs_published(args: Sequence[Arg]) -> list[NewJob]:
    """The jobs in the arguments of an `enqueue` command: the reverse of what that makes of them."""
    rest = iter(args[2:])
    kinds = [(list(islice(rest, 7)), _pairs(rest)) for _ in range(int(next(rest)))]
    jobs: list[NewJob] = []
    for _ in range(int(next(rest))):
        job_id, payload, nth = islice(rest, 3)
        (attempts, timeout, backoff, due, gid, limit, strict), side = kinds[int(nth) - 1]
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
                side={**side, **_pairs(rest)},
            )
        )
    return jobs


def jobs_added(args: Sequence[Arg], reply: Any) -> list[NewJob]:
    """Those of `jobs_published` that were not there before, by the script's reply."""
    duplicates = {entry[0] for entry in reply if entry[1] == b"DUPLICATE"}
    return [job for nth, job in enumerate(jobs_published(args), 1) if nth not in duplicates]


def _pairs(rest: Iterator[Arg]) -> dict[str, str]:
    count = int(next(rest))
    words = [str(word) for word in islice(rest, 2 * count)]
    return dict(zip(words[::2], words[1::2], strict=True))


def _check_side(name: object, value: object) -> tuple[str, str]:
    # Any other field is the script's own: `state` among them would put the job into no lane.
    if not isinstance(name, str) or not _SIDE_NAME.match(name):
        raise InvalidArgument("side", f"{name!r} is no extra field; they are named msg_...")
    if not isinstance(value, str) or not is_utf8(value):
        raise InvalidArgument("side", f"{name} must be a str of valid Unicode, not {value!r:.100}")
    return name, value


def _check_group(job: NewJob) -> None:
    check_ordering(job.ordering)
    if job.gid != "":
        check_gid(job.gid)
    elif job.ordering == "strict":
        raise InvalidArgument("ordering", "'strict' orders the jobs of a group; pass a gid")
    if job.ordering == "strict" and job.group_limit > 1:
        raise InvalidArgument(
            "group_limit", "a strictly ordered group runs one job at a time; leave it out"
        )


def _parse(jobs: Sequence[NewJob], reply: Any) -> list[Published]:
    found = [Published(job.job_id, "wait", False, True) for job in jobs]
    for nth, *entry in reply:
        found[nth - 1] = _published(jobs[nth - 1].job_id, *entry)
    return found


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

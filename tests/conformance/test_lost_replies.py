"""A reserve whose reply never came has leased jobs that nobody knows of: the next one, which names
its token prefix, gives them back first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from omniq_typed import NewJob
from omniq_typed.core.command import Command
from omniq_typed.core.reserve import reserve
from omniq_typed.errors import ConnectionLost
from omniq_typed.models import Outcome, Reservation, Reserved, Settlement
from tests.chaos.proxy import proxy_to
from tests.conformance.doors import T0, Doors, Face, contents, open_doors, server_of_face
from tests.servers import Server

Q = "orders"


@pytest.fixture
def doors(server: Server, face: Face) -> Iterator[Doors]:
    """Redis and Valkey, blocking and asyncio."""
    with open_doors(face, url=server.url) as opened:
        yield opened


def publish(doors: Doors) -> None:
    jobs = [NewJob(f"u{n}", b"{}", timeout_ms=60_000) for n in range(12)]
    jobs += [NewJob(f"g{n}", b"{}", gid="g", group_limit=3) for n in range(4)]
    jobs += [NewJob(f"s{n}", b"{}", gid="s", ordering="strict") for n in range(2)]
    doors.client.publish_batch(queue=Q, jobs=jobs)


def taking(prefix: str, limit: int, lost_prefix: str = "", *done: Reserved) -> Command[Reservation]:
    settlements = [Settlement(job.job_id, job.lease_token, Outcome.ACK) for job in done]
    return reserve(
        Q,
        limit=limit,
        token_prefix=prefix,
        settlements=settlements,
        now_ms=T0,
        lost_prefix=lost_prefix,
    )


def rows(reservation: Reservation) -> list[tuple[str, int]]:
    return [(job.job_id, job.attempt) for job in reservation.jobs]


def test_what_a_lost_reply_leased_is_leased_again_in_its_order(doors: Doors) -> None:
    publish(doors)
    kept = doors.run(taking("kept", 2))
    lost = doors.run(taking("lost", 13))  # more than ten: 10 comes behind 9, not behind 1
    healed = doors.run(taking("new", 13, "lost"))
    assert sorted(rows(healed)) == sorted(rows(lost))
    for kind in "ugs":
        of_kind = [
            [job_id for job_id, _ in rows(each) if job_id[0] == kind] for each in (lost, healed)
        ]
        assert of_kind[0] == of_kind[1]
    assert [job.lease_token for job in healed.jobs] == [f"new-{n}" for n in range(1, 14)]
    assert {job.attempt for job in healed.jobs} == {1}
    group, strict = doors.monitor.group_status(Q, ["g", "s"])
    assert (group.inflight, strict.inflight) == (3, 1)
    # The leases of others are theirs still.
    settled = doors.run(taking("more", 0, "", *kept.jobs)).settled
    assert [one.status for one in settled] == ["OK", "OK"]


def test_settlements_of_the_lost_call_are_sent_again_and_only_counted_once(doors: Doors) -> None:
    publish(doors)
    first = doors.run(taking("first", 3))
    doors.run(taking("lost", 3, "", *first.jobs))
    again = doors.run(taking("new", 3, "lost", *first.jobs))
    assert [(one.status, one.detail) for one in again.settled] == [("ERR", "NOT_ACTIVE")] * 3
    assert {job.attempt for job in again.jobs} == {1}
    stats = doors.monitor.stats(Q)
    assert (stats.completed_kept, stats.active, stats.waiting_total) == (3, 3, 12)


def test_a_call_that_never_ran_leaves_nothing_to_give_back(doors: Doors, server: Server) -> None:
    publish(doors)
    doors.run(taking("kept", 2))
    before = contents(server)
    # A prefix that begins like another, and the text of one that is a pattern elsewhere.
    for nobody in ("kep", "kept-1", "*", "."):
        doors.run(taking("new", 0, nobody))
    assert contents(server) == before


def test_a_reply_that_is_cut_off_loses_no_attempt(
    request: pytest.FixtureRequest, face: Face
) -> None:
    server = server_of_face(request, face)
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(proxy_to(server.port))
        doors = stack.enter_context(open_doors(face, url=proxy.url))
        publish(doors)
        proxy.cut_reply("u0")
        with pytest.raises(ConnectionLost):
            doors.run(taking("lost", 4))
        assert proxy.cut.is_set()
        assert doors.monitor.stats(Q).active == 4
        healed = doors.run(taking("new", 4, "lost"))
        assert {job.attempt for job in healed.jobs} == {1}
        assert {job.job_id for job in healed.jobs} == {"g0", "u0", "s0", "u1"}
        assert doors.monitor.stats(Q).active == 4

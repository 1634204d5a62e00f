"""How many jobs of each version of a message type there are: exact while nothing moves, never too
few for what stays or moves on, in steps that are short whatever the queue holds."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator

import pytest

from omniq_typed import NewJob, OmniqClient
from omniq_typed.core.observe import add_up, count_versions, next_count
from omniq_typed.core.reserve import reserve
from omniq_typed.core.settle import settle
from omniq_typed.errors import InvalidArgument
from omniq_typed.models import Outcome, Reserved, Settlement, VersionCount, VersionPage
from tests.conformance.doors import (
    T0,
    Doors,
    Face,
    command_counts,
    forget_command_counts,
    open_doors,
    scripts_called,
)
from tests.servers import AnyServer, Server, wait_until

Q = "orders"
LATER = T0 + 10
FAR_MS = 10**13


def job(job_id: str, msg_type: str = "", version: object = "", **options: object) -> NewJob:
    fields = {"msg_type": msg_type, "msg_version": str(version)}
    side = {name: value for name, value in fields.items() if value}
    return NewJob(job_id, b"{}", side=side, **options)  # type: ignore[arg-type]


def publish(client: OmniqClient, jobs: Iterable[NewJob], now_ms: int | None = T0) -> None:
    left = list(jobs)
    for start in range(0, len(left), 1000):
        client.publish_batch(queue=Q, jobs=left[start : start + 1000], now_ms_override=now_ms or 0)


def lease(client: OmniqClient, limit: int, now_ms: int = T0) -> tuple[Reserved, ...]:
    command = reserve(Q, limit=limit, token_prefix=uuid.uuid4().hex, now_ms=now_ms, upkeep=0)
    return client.transport.run(command).jobs


def end(client: OmniqClient, jobs: Iterable[Reserved], outcome: Outcome) -> None:
    ends = [Settlement(one.job_id, one.lease_token, outcome) for one in jobs]
    client.transport.run(settle(Q, ends, now_ms=T0))


@pytest.fixture
def side_client(any_server: AnyServer) -> Iterator[OmniqClient]:
    """Moves jobs about, whichever face it is that counts."""
    with OmniqClient(url=any_server.url) as client:
        yield client


# What is counted


def test_each_lane_by_type_and_version(doors: Doors, side_client: OmniqClient) -> None:
    publish(side_client, [job("f1", "order", 1), job("f2", "order", 2), job("f3", "order", 2)])
    end(side_client, lease(side_client, 3), Outcome.FAIL)
    publish(side_client, [job("done", "order", 1)])
    end(side_client, lease(side_client, 1), Outcome.ACK)
    publish(side_client, [job("a1", "order", 2), job("a2")])
    assert len(lease(side_client, 2)) == 2
    publish(side_client, [job("d1", "order", 10, due_ms=LATER), job("d2", due_ms=LATER)])
    publish(side_client, [job("w1", "order", 1), job("w2", "invoice", 1, gid="g"), job("w3")])
    publish(side_client, [job(f"g{n}", "order", 2, gid="g") for n in range(4)])

    found = doors.monitor.versions_in_flight(Q)
    assert found == [
        VersionCount("", 1, waiting=1, delayed=1, active=1, failed=0),
        VersionCount("invoice", 1, waiting=1, delayed=0, active=0, failed=0),
        VersionCount("order", 1, waiting=1, delayed=0, active=0, failed=1),
        VersionCount("order", 2, waiting=4, delayed=0, active=1, failed=2),
        VersionCount("order", 10, waiting=0, delayed=1, active=0, failed=0),
    ]
    assert [count.total for count in found] == [3, 1, 2, 7, 1]


def test_what_strangers_leave_is_counted_as_a_worker_takes_it(
    doors: Doors, side_client: OmniqClient, any_server: AnyServer
) -> None:
    publish(
        side_client,
        [
            job("odd", "order", "two"),
            job("none", "order"),
            job("untyped", "", 7),
            job("gone", "order", 1),
            job("elsewhere", "order", 3),
        ],
    )
    with contextlib.closing(any_server.client()) as redis:
        redis.delete(f"{{{Q}}}:job:gone")
        redis.hset(f"{{{Q}}}:job:untyped", "msg_type", "")
        redis.zadd(f"{{{Q}}}:idx:failed", {"elsewhere": T0, "never": T0})
        redis.zadd(f"{{{Q}}}:idx:active", {"bytes": T0})
        fields = {"state": "active", "msg_type": b"\xff", "msg_version": b"\xff"}
        redis.hset(f"{{{Q}}}:job:bytes", mapping=fields)
    assert doors.monitor.versions_in_flight(Q) == [
        VersionCount("", 1, waiting=1, delayed=0, active=0, failed=0),
        VersionCount("\\xff", 0, waiting=0, delayed=0, active=1, failed=0),
        VersionCount("order", 0, waiting=1, delayed=0, active=0, failed=0),
        VersionCount("order", 1, waiting=1, delayed=0, active=0, failed=0),
        VersionCount("order", 3, waiting=1, delayed=0, active=0, failed=0),
    ]


def test_pages_are_added_up_by_lane_and_sorted() -> None:
    pages = [
        VersionPage("failed", 0, (("b", 2, 1),)),
        VersionPage("wait", 7, (("b", 10, 2), ("a", 1, 3))),
        VersionPage("wait", 0, (("b", 2, 4), ("b", 10, 5))),
        VersionPage("delayed", 0, ()),
    ]
    assert add_up(pages) == [
        VersionCount("a", 1, waiting=3, delayed=0, active=0, failed=0),
        VersionCount("b", 2, waiting=4, delayed=0, active=0, failed=1),
        VersionCount("b", 10, waiting=7, delayed=0, active=0, failed=0),
    ]
    assert add_up([]) == []


@pytest.mark.parametrize(
    ("lane", "cursor", "field"),
    [("completed", 0, "lane"), ("gwait", 0, "lane"), ("", 0, "lane"), ("wait", -1, "cursor")],
)
def test_what_cannot_be_counted_is_refused(lane: str, cursor: int, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        count_versions(Q, lane, cursor)
    assert refused.value.field == field


# What it costs


def test_no_step_looks_at_many_more_than_500_jobs(server: Server, face: Face) -> None:
    """Two commands per job at most, and one to scan: what the server does in one go."""
    with open_doors(face, url=server.url) as doors:
        with OmniqClient(url=server.url) as client:
            publish(client, (job(str(n), "order", n % 3 + 1) for n in range(6_000)))
        pages: list[VersionPage] = []
        forget_command_counts(server)
        while (command := next_count(Q, pages[-1] if pages else None)) is not None:
            pages.append(doors.run(command))
        counts = command_counts(server)
    sizes = [sum(jobs for _, _, jobs in page.rows) for page in pages if page.lane == "wait"]
    assert sum(sizes) == 6_000
    assert max(sizes) < 600
    assert scripts_called(counts) == counts["zscan"] == len(pages)
    assert counts["hmget"] == 6_000


# While jobs move. Each job has a version of its own, by which it is told from the others.


def walk(doors: Doors, moves: dict[str, Callable[[], object]]) -> list[VersionCount]:
    """Counts; `moves[lane]` happens after the first page of that lane."""
    pages: list[VersionPage] = []
    while (command := next_count(Q, pages[-1] if pages else None)) is not None:
        pages.append(doors.run(command))
        if pages[-1].lane in moves:
            assert pages[-1].next_cursor != 0, "the lane was not cut into pages"
            moves.pop(pages[-1].lane)()
    assert not moves
    return add_up(pages)


def test_a_job_that_moves_on_is_never_missed(doors: Doors, side_client: OmniqClient) -> None:
    """All of them, from lane to lane, each time when a part of the lane was counted."""
    everyone = range(1, 2_001)
    publish(side_client, (job(str(n), "order", n, due_ms=LATER) for n in everyone))
    leased: list[Reserved] = []

    def promote() -> None:
        assert side_client.promote_delayed(queue=Q, now_ms_override=LATER, max_promote=5_000) > 0

    def start() -> None:
        for _ in range(2):
            leased.extend(lease(side_client, 1_000, LATER))

    found = walk(
        doors,
        {
            "delayed": promote,
            "wait": start,
            "active": lambda: end(side_client, leased, Outcome.FAIL),
        },
    )
    assert len(leased) == len(everyone)
    assert [count.version for count in found] == list(everyone)
    assert all(count.failed == 1 for count in found)
    # Met in lane after lane, by those who were quick.
    assert max(count.total for count in found) > 1


def test_a_lane_that_shrinks_meanwhile_hides_nothing(
    doors: Doors, side_client: OmniqClient
) -> None:
    """The server packs what is left into a smaller table, and its cursor goes back a little."""
    stay, go = range(1, 201), range(201, 10_001)
    mixed = sorted([*stay, *go], key=lambda n: n % 50)
    publish(side_client, (job(str(n), "order", n, due_ms=FAR_MS) for n in mixed))

    def shrink() -> None:
        ids = [str(n) for n in go]
        for start in range(0, len(ids), 100):
            side_client.remove_jobs_batch(queue=Q, lane="delayed", job_ids=ids[start : start + 100])

    found = {count.version: count.total for count in walk(doors, {"delayed": shrink})}
    assert set(stay) <= set(found)
    assert sum(found[n] for n in stay) <= len(stay) * 1.1


class Traffic:
    """Publishes jobs of another type, and works on them: some fail and wait, most are done."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=run) for run in (self._publish, self._work)]
        self.published = self.worked_on = 0
        self.errors: list[BaseException] = []

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert not self.errors

    def rounds(self) -> int:
        """Of the slower of the two."""
        assert not self.errors
        return min(self.published, self.worked_on)

    def _publish(self) -> None:
        with self._client() as client:
            while not self._stop.is_set():
                names = [uuid.uuid4().hex for _ in range(20)]
                publish(client, (job(name, "traffic", 2) for name in names), now_ms=None)
                self.published += 1

    def _work(self) -> None:
        outcomes = [Outcome.ACK, Outcome.ACK, Outcome.RETRY, Outcome.RELEASE]
        ends: list[Settlement] = []
        with self._client() as client:
            while not self._stop.is_set():
                prefix = uuid.uuid4().hex
                command = reserve(Q, limit=20, token_prefix=prefix, settlements=ends)
                jobs = client.transport.run(command).jobs
                ends = [
                    Settlement(one.job_id, one.lease_token, outcomes[n % 4], delay_ms=1)
                    for n, one in enumerate(jobs)
                ]
                self.worked_on += 1

    @contextlib.contextmanager
    def _client(self) -> Iterator[OmniqClient]:
        try:
            with OmniqClient(url=self._url) as client:
                yield client
        except BaseException as error:
            self.errors.append(error)


@pytest.mark.slow
def test_20000_jobs_are_counted_while_others_come_and_go(
    doors: Doors, any_server: AnyServer, side_client: OmniqClient
) -> None:
    failed, delayed, waiting = range(1, 4_001), range(4_001, 12_001), range(12_001, 20_000)
    running = 20_000
    publish(side_client, (job(str(n), "order", n) for n in failed))
    while jobs := lease(side_client, 1_000):
        end(side_client, jobs, Outcome.FAIL)
    publish(side_client, (job(str(n), "order", n, due_ms=FAR_MS) for n in delayed))
    # The group has one slot, which is taken for longer than the test lasts.
    publish(side_client, [job(str(running), "order", running, gid="g", timeout_ms=FAR_MS)])
    assert len(lease(side_client, 1)) == 1
    publish(side_client, (job(str(n), "order", n, gid="g") for n in waiting))

    with Traffic(any_server.url) as traffic:
        wait_until(lambda: traffic.rounds() > 3, "jobs come and go", 30)
        moved = 0
        while moved < 10:
            before = traffic.rounds()
            found = doors.monitor.versions_in_flight(Q)
            moved += traffic.rounds() - before

            counts = {each.version: each for each in found if each.msg_type == "order"}
            assert len(counts) == 20_000
            assert all(counts[n].failed for n in failed)
            assert all(counts[n].delayed for n in delayed)
            assert all(counts[n].waiting for n in waiting)
            assert counts[running].active
            assert sum(each.total for each in counts.values()) < 20_200
            assert {each.version for each in found if each.msg_type != "order"} <= {2}

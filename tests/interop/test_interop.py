"""Each operation by one side on jobs of the other, both ways, on one server.

After every step: our laws, the raw counters, and both monitors field by field.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from tests.interop.peer import CallFailed, Side, Sides
from tests.interop.shared_laws import check, now_ms
from tests.properties.queue_laws import Queue, check_unchanged

pytestmark = pytest.mark.interop

Q = "interop.queue"


@pytest.fixture(params=["we_then_omniq", "omniq_then_we"])
def pair(request: pytest.FixtureRequest, sides: Sides) -> tuple[Side, Side]:
    """(first, second)"""
    if request.param == "we_then_omniq":
        return sides.ours, sides.omniq
    return sides.omniq, sides.ours


class Story:
    """Runs the steps of one test on one queue, and checks after each."""

    def __init__(self, sides: Sides, gids: Sequence[str] = ()) -> None:
        self.sides = sides
        self.gids = gids
        self.ids: list[str] = []

    def publish(self, side: Side, payload: Any, **kwargs: Any) -> str:
        job_id = str(side.call("publish", queue=Q, payload=payload, **kwargs))
        self.ids.append(job_id)
        self.check()
        return job_id

    def call(self, side: Side, method: str, **kwargs: Any) -> Any:
        result = side.call(method, queue=Q, **kwargs)
        self.check()
        return result

    def refused(self, side: Side, method: str, **kwargs: Any) -> str:
        """The text of the exception; nothing has changed."""
        before = self.check()
        with pytest.raises(CallFailed) as caught:
            side.call(method, queue=Q, **kwargs)
        check_unchanged(before, self.check())
        return str(caught.value)

    def take(self, side: Side, **kwargs: Any) -> dict[str, Any]:
        """Reserve; there is a job."""
        job: dict[str, Any] = self.call(side, "reserve", **kwargs)
        assert job["status"] == "JOB"
        return job

    def end(self, side: Side, method: str, job: dict[str, Any], **kwargs: Any) -> Any:
        lease = {"job_id": job["job_id"], "lease_token": job["lease_token"]}
        return self.call(side, method, **lease, **kwargs)

    def state(self, job_id: str) -> Any:
        job = self.sides.ours.look("get_job", Q, job_id)
        return None if job is None else job["state"]

    def check(self, monitors: bool = True) -> Queue:
        return check(self.sides, Q, self.ids, self.gids, monitors=monitors)


PAYLOAD = {"text": "Grüße 🐦", "n": -7, "half": 0.5, "none": None, "deep": [{"a": []}, True]}


def test_publish_reserve_beat_and_complete(sides: Sides, pair: tuple[Side, Side]) -> None:
    first, second = pair
    story = Story(sides, ["g:1"])
    plain = story.publish(first, PAYLOAD, max_attempts=4, timeout_ms=10_000)
    grouped = story.publish(first, [1, "two"], gid="g:1", group_limit=2)
    for _ in range(2):
        job = story.take(second)
        assert (job["attempt"], job["gid"]) == (1, "g:1" if job["job_id"] == grouped else "")
        assert job["max_attempts"] == (4 if job["job_id"] == plain else 3)
        # The payload is the same text whoever writes it, so that neither side's parser matters.
        text = sides.ours.look("get_job", Q, job["job_id"])["payload"]
        assert job["payload"] == text
        assert story.end(second, "heartbeat", job) >= job["lock_until_ms"]
        assert story.end(second, "ack_success", job) is None
        assert story.state(job["job_id"]) == "completed"
    assert story.call(second, "reserve") is None


def test_the_same_payload_is_the_same_text(sides: Sides) -> None:
    story = Story(sides)
    for payload in (PAYLOAD, [], {}, ['ü\t"', {"z": 1, "a": 2**53}]):
        texts = [
            sides.ours.look("get_job", Q, story.publish(side, payload))["payload"]
            for side in (sides.ours, sides.omniq)
        ]
        assert texts[0] == texts[1]


def test_a_lease_of_one_is_ended_by_the_other(sides: Sides, pair: tuple[Side, Side]) -> None:
    """The token proves it, whoever holds it."""
    first, second = pair
    story = Story(sides, ["g"])
    for gid in ("", "g"):
        story.publish(first, {}, gid=gid, backoff_ms=0)
        job = story.take(first)
        story.refused(second, "ack_success", job_id=job["job_id"], lease_token="another")
        story.end(second, "heartbeat", job)
        assert story.end(second, "ack_fail", job, error="no luck")[0] == "RETRY"
        later = now_ms() + 1000
        assert story.call(first, "promote_delayed", now_ms_override=later) == 1
        job = story.take(second)
        assert job["attempt"] == 2
        assert story.end(first, "ack_success", job) is None
        with pytest.raises(CallFailed):
            second.call(
                "ack_success", queue=Q, job_id=job["job_id"], lease_token=job["lease_token"]
            )


def test_fail_promote_fail_and_retry(sides: Sides, pair: tuple[Side, Side]) -> None:
    first, second = pair
    story = Story(sides, ["g"])
    for gid in ("", "g"):
        job_id = story.publish(first, {}, gid=gid, max_attempts=2, backoff_ms=5000)
        verdict, due_ms = story.end(second, "ack_fail", story.take(second), error="first")
        assert verdict == "RETRY"
        assert story.call(first, "promote_delayed", now_ms_override=due_ms - 1) == 0
        assert story.call(first, "promote_delayed", now_ms_override=due_ms) == 1
        job = story.take(first)
        assert job["attempt"] == 2
        assert story.end(first, "ack_fail", job, error="second") == ["FAILED", None]
        assert sides.ours.look("get_job", Q, job_id)["last_error"] == "second"
        assert story.call(second, "retry_failed", job_id=job_id) is None
        story.refused(second, "retry_failed", job_id=job_id)
        job = story.take(first)
        assert (job["job_id"], job["attempt"]) == (job_id, 1)
        story.end(first, "ack_success", job)


def test_retry_of_a_batch(sides: Sides, pair: tuple[Side, Side]) -> None:
    first, second = pair
    story = Story(sides, ["g"])
    failed = [story.publish(first, {}, gid=gid, max_attempts=1) for gid in ("", "g", "g")]
    for _ in failed:
        story.end(first, "ack_fail", story.take(first))
    waiting = story.publish(first, {})
    results = story.call(second, "retry_failed_batch", job_ids=[*failed, waiting, "nobody"])
    assert [tuple(result.values()) for result in results] == [
        *((job_id, "OK", None) for job_id in failed),
        (waiting, "ERR", "NOT_FAILED"),
        ("nobody", "ERR", "NO_JOB"),
    ]
    taken = [story.take(first)["job_id"] for _ in range(3)]
    assert len({*taken, *failed, waiting}) == 4


def test_due_later(sides: Sides, pair: tuple[Side, Side]) -> None:
    first, second = pair
    story = Story(sides, ["g"])
    due_ms = now_ms() + 60_000
    for gid in ("", "g"):
        job_id = story.publish(first, {}, gid=gid, due_ms=due_ms)
        assert story.state(job_id) == "delayed"
        assert story.call(second, "reserve") is None
        assert story.call(second, "promote_delayed") == 0
        assert story.call(second, "promote_delayed", now_ms_override=due_ms) == 1
        assert story.take(first)["job_id"] == job_id


def test_an_ended_lease_is_reaped_by_the_other(sides: Sides, pair: tuple[Side, Side]) -> None:
    first, second = pair
    story = Story(sides, ["g"])
    for gid in ("", "g"):
        job_id = story.publish(first, {}, gid=gid, max_attempts=2, timeout_ms=1000, backoff_ms=0)
        for state in ("delayed", "failed"):
            job = story.take(first)
            late = job["lock_until_ms"] + 1
            assert story.call(second, "reap_expired") == 0
            assert story.call(second, "reap_expired", now_ms_override=late) == 1
            assert story.state(job_id) == state
            story.call(second, "promote_delayed", now_ms_override=late)
            story.refused(first, "ack_success", job_id=job_id, lease_token=job["lease_token"])


def test_groups_take_turns_within_their_limits(sides: Sides, pair: tuple[Side, Side]) -> None:
    first, second = pair
    gids = ["a", "b", "c"]
    story = Story(sides, gids)
    start = now_ms()
    for gid, limit in zip(gids, (1, 2, 0), strict=True):
        for _ in range(3):  # all at one time: their places in the row are ties
            story.publish(first, {}, gid=gid, group_limit=limit, now_ms_override=start)
    jobs = [story.take(side, now_ms_override=start) for side in (first, second, first, second)]
    assert sorted(job["gid"] for job in jobs) == ["a", "b", "b", "c"]
    assert story.call(first, "reserve") is None
    assert story.call(second, "reserve") is None
    ended: dict[str, int] = dict.fromkeys(gids, 0)
    while jobs:
        job = jobs.pop(0)
        story.end(second if len(jobs) % 2 else first, "ack_success", job)
        ended[job["gid"]] += 1
        if ended[job["gid"]] + sum(each["gid"] == job["gid"] for each in jobs) < 3:
            jobs.append(story.take(first if len(jobs) % 2 else second))
    assert ended == dict.fromkeys(gids, 3)
    # The limit stays with its first giver.
    story.publish(second, {}, gid="a", group_limit=5)
    story.publish(second, {}, gid="a")
    story.take(first)
    assert story.call(first, "reserve") is None


def test_fairness_is_one_for_both(sides: Sides, pair: tuple[Side, Side]) -> None:
    """Who reserves does not matter: grouped and ungrouped jobs take turns."""
    first, second = pair
    story = Story(sides, ["g"])
    for _ in range(3):
        story.publish(first, {}, gid="g", group_limit=9)
        story.publish(second, {})
    turns = [story.take(side)["gid"] for side in (first, second) * 3]
    assert turns in (["g", ""] * 3, ["", "g"] * 3)


def test_pause_and_resume(sides: Sides, pair: tuple[Side, Side]) -> None:
    first, second = pair
    story = Story(sides)
    story.publish(first, {})
    assert story.call(first, "pause") == "OK"
    assert story.call(second, "is_paused") is True
    assert story.call(second, "reserve") == {"status": "PAUSED"}
    assert story.call(second, "resume") == 1
    assert story.call(first, "is_paused") is False
    assert story.call(first, "resume") == 0
    story.take(first)


def test_remove_from_each_lane(sides: Sides, pair: tuple[Side, Side]) -> None:
    first, second = pair
    story = Story(sides, ["g"])
    jobs = {"delayed": story.publish(first, {}, due_ms=now_ms() + 60_000)}
    jobs["failed"] = story.publish(first, {}, max_attempts=1)
    story.end(first, "ack_fail", story.take(first))
    jobs["completed"] = story.publish(first, {})
    story.end(first, "ack_success", story.take(first))
    active = story.publish(first, {})
    story.take(first)
    jobs["wait"] = story.publish(first, {})
    jobs["gwait"] = story.publish(first, {}, gid="g")
    delayed_of_group = story.publish(first, {}, gid="g", due_ms=now_ms() + 60_000)
    assert "ACTIVE" in story.refused(second, "remove_job", job_id=active, lane="wait")
    story.refused(second, "remove_job", job_id=jobs["wait"], lane="failed")
    for lane, job_id in jobs.items():
        story.call(second, "remove_job", job_id=job_id, lane=lane)
        assert story.state(job_id) is None
        story.refused(first, "remove_job", job_id=job_id, lane=lane)
    story.call(second, "remove_job", job_id=delayed_of_group, lane="delayed")
    many = [story.publish(first, {}) for _ in range(3)]
    results = story.call(
        second, "remove_jobs_batch", lane="wait", job_ids=[*many, active, "nobody"]
    )
    assert [(each["status"], each["reason"]) for each in results] == [
        *[("OK", None)] * 3,
        ("ERR", "ACTIVE"),
        ("ERR", "NO_JOB"),
    ]


@pytest.mark.parametrize("last", ["first", "second"])
def test_children(sides: Sides, pair: tuple[Side, Side], last: str) -> None:
    first, second = pair
    key = "document-1"
    assert first.call("childs_init", key=key, expected=3) is None
    with pytest.raises(CallFailed, match=r"(?i)already"):
        second.call("childs_init", key=key, expected=3)
    assert second.call("child_ack", key=key, child_id="a") == 2
    assert first.call("child_ack", key=key, child_id="a") == 2
    assert first.call("child_ack", key=key, child_id="b") == 1
    finisher, other = (first, second) if last == "first" else (second, first)
    assert finisher.call("child_ack", key=key, child_id="c") == 0
    # What OmniQ finished is gone; what we finished, we remember, and OmniQ does not ask.
    ours_finished = finisher is sides.ours
    assert sides.ours.call("child_ack", key=key, child_id="c") == (0 if ours_finished else -1)
    assert sides.omniq.call("child_ack", key=key, child_id="c") == -1
    assert sides.ours.call("child_ack", key=key, child_id="d") == (-2 if ours_finished else -1)
    assert other.call("childs_init", key=key, expected=1) is None
    assert finisher.call("child_ack", key=key, child_id="z") == 0


def test_our_publish_of_an_id_that_omniq_took(sides: Sides) -> None:
    """Row 1 of docs/wire.md: ours changes nothing, whatever state the first is in."""
    story = Story(sides)
    story.publish(sides.omniq, {"n": 1}, job_id="same")

    def publish_again() -> None:
        before = story.check()
        assert story.call(sides.ours, "publish", payload={"n": 1}, job_id="same") == "same"
        check_unchanged(before, story.check())
        story.refused(sides.ours, "publish", payload={"n": 2}, job_id="same")

    publish_again()
    job = story.take(sides.omniq)
    publish_again()
    story.end(sides.omniq, "ack_success", job)
    publish_again()


def test_retention_is_one_for_both(sides: Sides, pair: tuple[Side, Side]) -> None:
    """100 completed jobs stay, whoever completes the next; the hashes of others go."""
    first, second = pair
    ids = first.call_many("publish", [{"queue": Q, "payload": {}}] * 104)
    for n in range(104):
        side = second if n % 3 else first
        job = side.call("reserve", queue=Q)
        side.call("ack_success", queue=Q, job_id=job["job_id"], lease_token=job["lease_token"])
    found = check(sides, Q, ids)
    assert found.completed == ids[:3:-1]
    assert sorted(found.jobs) == sorted(ids[4:])


GIDS = ["", "", "a", "b"]


@pytest.mark.parametrize("seed", range(3))
def test_a_random_walk(sides: Sides, seed: int) -> None:
    """Any operation, by either, in any order."""
    walk = Walk(sides, random.Random(seed))
    for n in range(200):
        walk.step(monitors=n % 20 == 19)
    assert walk.completed > 5


class Walk:
    """The leases and ids that the next step may choose from."""

    def __init__(self, sides: Sides, chance: random.Random) -> None:
        self.story = Story(sides, ["a", "b"])
        self.chance = chance
        self.leases: list[dict[str, Any]] = []
        self.now = now_ms()
        self.completed = 0
        self.trace: list[str] = []

    def step(self, monitors: bool) -> None:
        side = self.chance.choice((self.story.sides.ours, self.story.sides.omniq))
        steps = [self.publish] * 4 + [self.reserve] * 5 + [self.complete] * 3
        steps += [self.fail, self.beat, self.promote, self.reap, self.retry, self.remove]
        step = self.chance.choice(steps)
        self.now += self.chance.choice((0, 1, 700))
        self.trace.append(f"{side} {step.__name__}")
        try:
            step(side)
            self.story.check(monitors)
        except BaseException as error:
            error.add_note("; ".join(self.trace))
            raise

    def publish(self, side: Side) -> None:
        job = side.call(
            "publish",
            queue=Q,
            payload={},
            gid=self.chance.choice(GIDS),
            group_limit=self.chance.randrange(3),
            max_attempts=self.chance.randrange(1, 4),
            timeout_ms=self.chance.choice((1000, 4000)),
            backoff_ms=self.chance.choice((0, 900)),
            due_ms=self.chance.choice((0, 0, self.now + 1500)),
            now_ms_override=self.now,
        )
        self.story.ids.append(job)

    def reserve(self, side: Side) -> None:
        if job := side.call("reserve", queue=Q, now_ms_override=self.now):
            self.leases.append(job)

    def complete(self, side: Side) -> None:
        if self.end(side, "ack_success"):
            self.completed += 1

    def fail(self, side: Side) -> None:
        self.end(side, "ack_fail", error="walk")

    def end(self, side: Side, method: str, **kwargs: Any) -> bool:
        """Lost leases among them: they are refused and change nothing."""
        if not self.leases:
            return False
        job = self.leases.pop(self.chance.randrange(len(self.leases)))
        lease = {"job_id": job["job_id"], "lease_token": job["lease_token"]}
        try:
            side.call(method, queue=Q, now_ms_override=self.now, **lease, **kwargs)
        except CallFailed:
            return False
        return True

    def beat(self, side: Side) -> None:
        self.end(side, "heartbeat")

    def promote(self, side: Side) -> None:
        side.call("promote_delayed", queue=Q, now_ms_override=self.now)

    def reap(self, side: Side) -> None:
        side.call("reap_expired", queue=Q, now_ms_override=self.now)

    def retry(self, side: Side) -> None:
        chosen = self.chosen("failed")
        if chosen:
            side.call("retry_failed_batch", queue=Q, job_ids=chosen, now_ms_override=self.now)

    def remove(self, side: Side) -> None:
        lane = self.chance.choice(("wait", "gwait", "delayed", "failed", "completed"))
        if chosen := self.chosen("wait" if lane == "gwait" else lane):
            side.call("remove_jobs_batch", queue=Q, lane=lane, job_ids=chosen)

    def chosen(self, lane: str) -> list[str]:
        rows = self.story.sides.ours.look("lane_page", Q, lane, 0, 50)
        ids = [row["job_id"] for row in rows]
        return self.chance.sample(ids, min(len(ids), 2))

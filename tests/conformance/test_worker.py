"""What both workers promise, blocking and asyncio, on Redis and Valkey."""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import Any

import orjson
import pytest

from omniq_typed import AsyncBus, Bus, Exponential, Fixed, NewJob, Reject, Retry
from omniq_typed.errors import InvalidArgument
from omniq_typed.models import JobInfo
from tests.servers import Server, wait_until
from tests.workers import (
    LONG_POLL_S,
    LONG_S,
    REGISTRY,
    Face,
    Invoice,
    Order,
    Seen,
    Watch,
    bus_worker,
    client_worker,
    watching,
)

QUICK_S = 30.0
"""Far below LONG_POLL_S, far above what a wake-up takes on a busy machine."""


def failure_of(job: JobInfo) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(job.failure)
    return found


def test_returning_completes_the_job(server: Server, face: Face, watch: Watch) -> None:
    seen = Seen()
    typed = watch.bus.publish_json(Order(7))
    untyped = watch.client.publish(queue="plain", payload={"n": 1})
    with bus_worker(face, server.url, [(Order, lambda ctx: seen.add(ctx.payload), {})]):
        assert seen.next() == Order(7)
        watch.reaches("orders", typed, "completed")
    with client_worker(face, server.url, "plain", lambda ctx: seen.add(ctx.payload)):
        assert seen.next() == {"n": 1}
        watch.reaches("plain", untyped, "completed")


def test_raising_retries_by_backoff_then_fails_with_the_reason(
    server: Server, face: Face, watch: Watch
) -> None:
    seen = Seen()

    def handler(ctx: Any) -> None:
        seen.add((ctx.attempt, ctx.is_last_attempt))
        raise RuntimeError(f"no {ctx.attempt}")

    job_id = watch.bus.publish_json(Order(1), max_attempts=2, backoff_ms=300)
    with bus_worker(face, server.url, [(Order, handler, {})], poll_interval_s=LONG_POLL_S):
        assert seen.next() == (1, False)
        delayed = watch.reaches("orders", job_id, "delayed")
        assert delayed.last_error == "RuntimeError: no 1"
        assert delayed.due_ms == delayed.last_error_ms + 300
        assert seen.next() == (2, True)
        failed = watch.reaches("orders", job_id, "failed")
    assert failed.attempt == 2
    assert failed.last_started_ms >= delayed.due_ms
    assert failed.last_error == "RuntimeError: no 2"
    assert failure_of(failed) == {
        "reason": "handler_error",
        "message": "RuntimeError: no 2",
        "errors": [],
        "attempt": 2,
        "at_ms": failed.last_error_ms,
    }


def test_reject_fails_at_once(server: Server, face: Face, watch: Watch) -> None:
    def handler(ctx: Any) -> None:
        raise Reject("never")

    job_id = watch.bus.publish_json(Order(1), max_attempts=5)
    with bus_worker(face, server.url, [(Order, handler, {})]):
        failed = watch.reaches("orders", job_id, "failed")
    assert (failed.attempt, failed.last_error) == (1, "never")
    assert failure_of(failed)["reason"] == "rejected"


@pytest.mark.parametrize(
    ("error", "options", "expected_ms"),
    [
        pytest.param(Retry("later", after=90), {}, 90_000, id="retry-after"),
        pytest.param(Retry("later"), {"retry": Fixed(70_000)}, 70_000, id="retry-by-policy"),
        pytest.param(Retry("later"), {}, 40_000, id="retry-by-job"),
        pytest.param(ValueError(), {"retry": Fixed(50_000)}, 50_000, id="policy"),
        pytest.param(
            ValueError(),
            {"retry": Exponential(first_ms=60_000, jitter=False)},
            60_000,
            id="exponential",
        ),
    ],
)
def test_the_handler_or_its_policy_chooses_the_delay(
    server: Server,
    face: Face,
    watch: Watch,
    error: Exception,
    options: dict[str, Any],
    expected_ms: int,
) -> None:
    def handler(ctx: Any) -> None:
        raise error

    job_id = watch.bus.publish_json(Order(1), backoff_ms=40_000)
    with bus_worker(face, server.url, [(Order, handler, options)]):
        delayed = watch.reaches("orders", job_id, "delayed")
    assert delayed.due_ms - delayed.last_error_ms == expected_ms


class BrokenPolicy:
    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        raise ZeroDivisionError


class FractionPolicy:
    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        return 1.5  # type: ignore[return-value]


class NegativePolicy:
    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        return -2


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "options"),
    [
        pytest.param(ValueError("x"), {"retry": BrokenPolicy()}, id="policy-raises"),
        pytest.param(ValueError("x"), {"retry": FractionPolicy()}, id="policy-gives-a-fraction"),
        pytest.param(Unspeakable(), {}, id="error-without-text"),
        pytest.param(ValueError("x"), {"retry": NegativePolicy()}, id="policy-gives-a-negative"),
        pytest.param(SystemExit(3), {}, id="sys.exit"),
    ],
)
def test_whatever_a_handler_raises_only_its_own_job_suffers(
    server: Server, face: Face, watch: Watch, error: BaseException, options: dict[str, Any]
) -> None:
    def handler(ctx: Any) -> None:
        if ctx.payload.number == 1:
            raise error

    bad = watch.bus.publish_json(Order(1), backoff_ms=40_000)
    good = watch.bus.publish_json(Order(2))
    with bus_worker(face, server.url, [(Order, handler, options)]) as worker:
        watch.reaches("orders", good, "completed")
        delayed = watch.reaches("orders", bad, "delayed")
        assert worker.thread.is_alive()
    assert delayed.due_ms - delayed.last_error_ms == 40_000
    assert delayed.last_error.startswith(type(error).__name__) or delayed.last_error == "x"


def test_several_types_of_one_queue_go_to_their_own_handlers(
    server: Server, face: Face, watch: Watch
) -> None:
    seen = Seen()
    watch.bus.publish_json(Order(1))
    watch.bus.publish_json(Invoice("a"))
    consumers: Any = [
        (Order, lambda ctx: seen.add(("order", ctx.payload, ctx.msg_type)), {}),
        (Invoice, lambda ctx: seen.add(("invoice", ctx.payload, ctx.msg_type)), {}),
    ]
    with bus_worker(face, server.url, consumers):
        assert seen.next() == ("order", Order(1), "test.order")
        assert seen.next() == ("invoice", Invoice("a"), "test.invoice")


def foreign_job(server: Server, job_id: str, payload: bytes, side: dict[str, str]) -> None:
    """A job as somebody else's program may leave it, whom nothing checks."""
    with watching(server.url) as watch:
        watch.client.publish_batch(
            queue="orders", jobs=[NewJob(job_id, b"{}", max_attempts=9, side=side)]
        )
    server.command("HSET", f"{{orders}}:job:{job_id}", "payload", payload)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("payload", "side", "reason"),
    [
        pytest.param(b'{"number":1}', {"msg_type": "test.gone"}, "unknown_type", id="unknown-type"),
        pytest.param(
            b'{"number":1}',
            {"msg_type": "test.order", "msg_version": "2"},
            "unknown_type",
            id="unknown-version",
        ),
        pytest.param(
            b'{"number":1}',
            {"msg_type": "test.order", "msg_version": "two"},
            "unknown_type",
            id="no-version",
        ),
        pytest.param(
            b'{"number":"x"}', {"msg_type": "test.order"}, "invalid_payload", id="wrong-field"
        ),
        pytest.param(b"\xff{", {"msg_type": "test.order"}, "invalid_payload", id="not-json"),
        pytest.param(b'{"number":1}', {}, "unknown_type", id="untyped-for-several"),
    ],
)
def test_an_undecodable_job_fails_at_once_and_alone(
    server: Server,
    face: Face,
    watch: Watch,
    payload: bytes,
    side: dict[str, str],
    reason: str,
) -> None:
    foreign_job(server, "bad", payload, side)
    good = watch.bus.publish_json(Order(2))
    seen = Seen()
    consumers: Any = [
        (Order, lambda ctx: seen.add(ctx.payload), {}),
        (Invoice, lambda ctx: seen.add(ctx.payload), {}),
    ]
    with bus_worker(face, server.url, consumers):
        assert seen.next() == Order(2)
        failed = watch.reaches("orders", "bad", "failed")
        watch.reaches("orders", good, "completed")
    assert failed.attempt == 0
    assert failed.payload_raw == payload
    failure = failure_of(failed)
    assert failure["reason"] == reason
    assert failed.last_error == failure["message"] != ""
    if payload == b'{"number":"x"}':
        assert [(each["path"], each["code"]) for each in failure["errors"]] == [
            ("/number", "int_type")
        ]


def test_a_payload_that_is_no_json_fails_for_an_untyped_consumer_too(
    server: Server, face: Face, watch: Watch
) -> None:
    foreign_job(server, "bad", b"nope", {})
    seen = Seen()
    good = watch.client.publish(queue="orders", payload=[1])
    with client_worker(face, server.url, "orders", lambda ctx: seen.add(ctx.payload)):
        assert seen.next() == [1]
        watch.reaches("orders", good, "completed")
    failed = watch.job("orders", "bad")
    assert (failed.state, failed.attempt, failed.payload_raw) == ("failed", 0, b"nope")
    assert failure_of(failed)["reason"] == "invalid_payload"


def test_a_foreign_job_is_what_the_only_consumer_expects(
    server: Server, face: Face, watch: Watch
) -> None:
    seen = Seen()
    watch.client.publish(queue="orders", payload={"number": 5})
    with bus_worker(
        face,
        server.url,
        [(Order, lambda ctx: seen.add((ctx.payload, ctx.msg_type, ctx.msg_version)), {})],
    ):
        assert seen.next() == (Order(5), "", 1)


def test_ctx_says_everything_about_the_job(server: Server, face: Face, watch: Watch) -> None:
    seen = Seen()
    facts = (
        "payload",
        "payload_raw",
        "queue",
        "job_id",
        "attempt",
        "max_attempts",
        "is_last_attempt",
        "gid",
        "lease_lost",
        "msg_type",
        "msg_version",
        "correlation_id",
        "causation_id",
        "created_ms",
    )

    def handler(ctx: Any) -> None:
        stored = watch.job("orders", ctx.job_id)
        seen.add(({name: getattr(ctx, name) for name in facts}, stored))
        seen.add((ctx.lease_token, ctx.lock_until_ms))

    watch.bus.publish_json(Order(1), job_id="J1", gid="g", max_attempts=1, timeout_ms=5_000)
    with bus_worker(face, server.url, [(Order, handler, {})]):
        told, stored = seen.next()
        lease = seen.next()
    assert told == {
        "payload": Order(1),
        "payload_raw": '{"number":1}',
        "queue": "orders",
        "job_id": "J1",
        "attempt": 1,
        "max_attempts": 1,
        "is_last_attempt": True,
        "gid": "g",
        "lease_lost": False,
        "msg_type": "test.order",
        "msg_version": 1,
        "correlation_id": "J1",
        "causation_id": "",
        "created_ms": stored.created_ms,
    }
    assert lease == (stored.lease_token, stored.lock_until_ms)
    assert stored.lock_until_ms == stored.last_started_ms + 5_000


def test_a_group_never_runs_more_than_its_limit(server: Server, face: Face, watch: Watch) -> None:
    lock = threading.Lock()
    now: dict[str, int] = {}
    most: dict[str, int] = {}
    two = threading.Barrier(2)
    seen = Seen()

    def handler(ctx: Any) -> None:
        with lock:
            now[ctx.gid] = now.get(ctx.gid, 0) + 1
            most[ctx.gid] = max(most.get(ctx.gid, 0), now[ctx.gid])
        if ctx.gid == "pair":
            two.wait(LONG_S)  # only passes where two of the group do run at once
        with lock:
            now[ctx.gid] -= 1
        seen.add(ctx.job_id)

    for n in range(10):
        watch.bus.publish_json(Order(n), gid="single")
        watch.bus.publish_json(Order(n), gid="pair", group_limit=2)
    with bus_worker(face, server.url, [(Order, handler, {"concurrency": 8})]):
        for _ in range(20):
            seen.next()
    assert most == {"single": 1, "pair": 2}


def test_concurrency_is_how_many_run_at_once(server: Server, face: Face, watch: Watch) -> None:
    all_in = threading.Barrier(8)
    lock = threading.Lock()
    now = most = 0
    seen = Seen()

    def handler(ctx: Any) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        all_in.wait(LONG_S)
        with lock:
            now -= 1
        seen.add(ctx.job_id)

    for n in range(24):
        watch.bus.publish_json(Order(n))
    with bus_worker(face, server.url, [(Order, handler, {"concurrency": 8})]):
        for _ in range(24):
            seen.next()
    assert most == 8


def wait_until_idle(server: Server, workers: int = 1) -> None:
    """Until so many workers block on the server, waiting for work."""

    def blocked() -> bool:
        return bool(server.command("INFO", "clients")["blocked_clients"] == workers)

    wait_until(blocked, f"{workers} workers wait", LONG_S)


def test_a_paused_queue_waits_and_resume_wakes_its_worker(
    server: Server, face: Face, watch: Watch
) -> None:
    seen = Seen()
    watch.client.pause(queue="orders")
    job_id = watch.bus.publish_json(Order(1))
    with bus_worker(
        face,
        server.url,
        [(Order, lambda ctx: seen.add(ctx.payload), {})],
        poll_interval_s=LONG_POLL_S,
    ):
        wait_until_idle(server)
        assert watch.job("orders", job_id).state == "wait"
        watch.client.resume(queue="orders")
        assert seen.next(QUICK_S) == Order(1)


def test_resume_tells_an_idle_worker_when_the_next_job_falls_due(
    server: Server, face: Face, watch: Watch
) -> None:
    seen = Seen()
    watch.client.pause(queue="orders")
    with bus_worker(
        face,
        server.url,
        [(Order, lambda ctx: seen.add(ctx.payload), {})],
        poll_interval_s=LONG_POLL_S,
    ):
        wait_until_idle(server)
        seconds, _ = server.command("TIME")
        due_ms = int(seconds) * 1000 + 1_500
        watch.bus.publish_json(Order(1), due_ms=due_ms)
        wait_until_idle(server)
        watch.client.resume(queue="orders")
        assert seen.next(QUICK_S) == Order(1)


def test_nonsense_in_a_foreign_jobs_fields_stops_no_worker(
    server: Server, face: Face, watch: Watch
) -> None:
    seen = Seen()
    for field in ("timeout_ms", "max_attempts", "backoff_ms", "created_ms"):
        watch.bus.publish_json(Order(1), job_id=field)
        server.command("HSET", f"{{orders}}:job:{field}", field, "soon")
    watch.bus.publish_json(Order(2), job_id="sound")
    with bus_worker(face, server.url, [(Order, lambda ctx: seen.add(ctx.job_id), {})]):
        assert {seen.next() for _ in range(5)} == {
            "timeout_ms",
            "max_attempts",
            "backoff_ms",
            "created_ms",
            "sound",
        }


def test_publishing_wakes_an_idle_worker(server: Server, face: Face, watch: Watch) -> None:
    seen = Seen()
    with bus_worker(
        face,
        server.url,
        [(Order, lambda ctx: seen.add(ctx.payload), {})],
        poll_interval_s=LONG_POLL_S,
    ):
        for n in range(3):
            wait_until_idle(server)
            watch.bus.publish_json(Order(n))
            assert seen.next(QUICK_S) == Order(n)


def test_a_delayed_job_wakes_an_idle_worker_when_it_falls_due(
    server: Server, face: Face, watch: Watch
) -> None:
    seen = Seen()
    with bus_worker(
        face,
        server.url,
        [(Order, lambda ctx: seen.add(ctx.payload), {})],
        poll_interval_s=LONG_POLL_S,
    ):
        wait_until_idle(server)
        due_ms = int(time.time() * 1000) + 400
        job_id = watch.bus.publish_json(Order(1), due_ms=due_ms)
        assert watch.job("orders", job_id).state == "delayed"
        assert seen.next(QUICK_S) == Order(1)
        done = watch.reaches("orders", job_id, "completed")
    assert done.first_started_ms >= due_ms


def test_an_idle_worker_hears_the_stop_before_its_poll_interval(server: Server, face: Face) -> None:
    with bus_worker(
        face, server.url, [(Order, lambda ctx: None, {})], poll_interval_s=LONG_POLL_S
    ) as worker:
        wait_until_idle(server)
        started = time.monotonic()
        worker.finish()
        assert time.monotonic() - started < QUICK_S


def test_the_users_stop_event_is_only_read(server: Server, face: Face, watch: Watch) -> None:
    """One event may stop many workers; the end of one is no reason to stop the rest."""
    server.command("ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@all", "-evalsha")
    url = server.url.replace("redis://", "redis://reader:pw@")
    try:
        with (
            pytest.raises(Exception, match="permission"),
            bus_worker(face, url, [(Order, lambda ctx: None, {})]) as worker,
        ):
            worker.thread.join(LONG_S)
            assert not worker.thread.is_alive()
            assert not worker.stop.is_set()
    finally:
        server.command("ACL", "DELUSER", "reader")


@pytest.mark.parametrize("bus_of", [Bus, AsyncBus])
async def test_running_without_consumers_is_an_error(bus_of: Any) -> None:
    bus = bus_of("redis://127.0.0.1:1", registry=REGISTRY)
    with pytest.raises(InvalidArgument, match="has none; add one"):
        result = bus.run()
        if result is not None:
            await result
    await (bus.close() or _nothing())


async def _nothing() -> None:
    return


def test_verbose_tells_the_logger_what_happens(server: Server, face: Face, watch: Watch) -> None:
    lines: list[str] = []

    def handler(ctx: Any) -> None:
        if ctx.payload["bad"]:
            raise ValueError("broken")

    good = watch.client.publish(queue="plain", payload={"bad": False})
    bad = watch.client.publish(queue="plain", payload={"bad": True}, max_attempts=1)
    with client_worker(face, server.url, "plain", handler, verbose=True, logger=lines.append):
        watch.reaches("plain", bad, "failed")
    assert lines[0] == f"[plain] start {good} (attempt 1 of 3)"
    assert lines[1].startswith(f"[plain] done {good} in 0.")
    assert lines[2:] == [
        f"[plain] start {bad} (attempt 1 of 1)",
        f"[plain] failed {bad}: ValueError: broken",
    ]


def test_a_logger_that_fails_does_not_cost_the_job(
    server: Server, face: Face, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    def logger(line: str) -> None:
        raise OSError("stdout is gone")

    job_id = watch.client.publish(queue="plain", payload={})
    with client_worker(face, server.url, "plain", lambda ctx: None, verbose=True, logger=logger):
        watch.reaches("plain", job_id, "completed")
    assert "stdout is gone" in caplog.text


def test_quiet_by_default(
    server: Server, face: Face, watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("omniq_typed").setLevel(logging.NOTSET)
    job_id = watch.client.publish(queue="plain", payload={})
    with client_worker(face, server.url, "plain", lambda ctx: None):
        watch.reaches("plain", job_id, "completed")
    assert capsys.readouterr() == ("", "")


def test_the_worker_leaves_no_thread_and_no_connection(
    server: Server, face: Face, watch: Watch
) -> None:
    watch.bus.publish_json(Order(1))
    seen = Seen()
    before = {*threading.enumerate()}
    clients = len(watch_clients(server))
    for n in range(2):
        watch.bus.publish_json(Order(n))
        with bus_worker(
            face, server.url, [(Order, lambda ctx: seen.add(ctx.payload), {"concurrency": 3})]
        ):
            seen.next()
    assert {*threading.enumerate()} <= before
    wait_until(
        lambda: len(watch_clients(server)) <= clients + 1, "its connections are closed", LONG_S
    )


def watch_clients(server: Server) -> list[Any]:
    return list(server.command("CLIENT", "LIST"))


if sys.platform == "win32":
    pytest.skip("POSIX only", allow_module_level=True)

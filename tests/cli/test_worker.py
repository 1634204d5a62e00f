"""`omniq-typed worker` in one process: its work, its end, its health, its errors."""

from __future__ import annotations

import signal
import socket
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.cli.conftest import Project
from tests.cli.worker_program import PROGRAM, Publish, Start, Worker
from tests.servers import Server, start_redis
from tests.workers import Watch


@pytest.mark.parametrize("app", ["app:bus", pytest.param("app:async_bus", marks=pytest.mark.slow)])
def test_it_works_and_sigterm_drains(
    start: Start, publish: Publish, watch: Watch, app: str
) -> None:
    first = publish("quick")
    with start(app) as worker:
        assert worker.wait_for("done") == f"done {first}"
        worker.says(f"{app} on redis://")
        running = publish("long", 1.0)
        worker.wait_for("long")
        worker.signal(signal.SIGTERM)
        worker.says("SIGTERM: stopping, running jobs have 30 s; once more to leave at once")
        assert worker.exit_code() == 0
        assert watch.job("tasks", running).state == "completed"
    concurrency = 2 if app == "app:async_bus" else 1
    work = "work_async" if app == "app:async_bus" else "work"
    assert f"queue tasks ({concurrency} at once): test.task v1 by app.{work}\n" in worker.said()


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_leaves_though_the_handler_blocks(
    start: Start, publish: Publish, signum: signal.Signals
) -> None:
    publish("block", 60)
    with start("app:bus") as worker:
        worker.wait_for("block")
        worker.signal(signum)
        worker.says("once more")
        worker.signal(signum)
        assert worker.exit_code() == 128 + signum


@pytest.mark.parametrize(
    "ending", ["--grace=0.2", pytest.param("--no-drain", marks=pytest.mark.slow)]
)
def test_jobs_that_are_not_done_are_given_back_in_order_and_lose_no_attempt(
    start: Start, publish: Publish, watch: Watch, ending: str
) -> None:
    ids = [publish("long", 60) for _ in range(3)]
    with start("app:bus", ending) as worker:
        worker.wait_for("long")
        worker.signal(signal.SIGHUP)
        assert worker.exit_code() == 0
    for job_id in ids:
        job = watch.job("tasks", job_id)
        assert (job.state, job.attempt) == ("wait", 0)
    taken = watch.client.reserve(queue="tasks")
    assert getattr(taken, "job_id", None) == ids[0]


@pytest.mark.slow
def test_what_the_program_leaves_running_does_not_hold_up_the_end(
    start: Start, tmp_path: Path
) -> None:
    hanging = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n"
    (tmp_path / "hanging.py").write_text(f"from app import *\n{hanging}")
    with start("hanging:bus", "--queue", "tasks") as worker:
        worker.says("queue tasks")
        worker.signal(signal.SIGINT)
        worker.says("what the program left running does not end: leaving")
        assert worker.exit_code() == 0


@pytest.mark.slow
def test_signals_of_a_process_that_a_handler_forked_are_not_the_workers(
    start: Start, publish: Publish
) -> None:
    with start("app:bus") as worker:
        publish("fork")
        assert worker.wait_for("forked") == f"forked -{signal.SIGTERM:d}"
        publish("quick")
        worker.wait_for("done")
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0
    assert worker.said().count("SIGTERM") == 1


def test_health_while_the_server_is_away_and_after_it_is_back(
    start: Start, redis_server: Server, watch: Watch, publish: Publish
) -> None:
    with start("app:bus", "--health-port", "0") as worker:
        worker.becomes("/readyz", HTTPStatus.OK)
        redis_server.stop()
        body = worker.becomes("/readyz", HTTPStatus.SERVICE_UNAVAILABLE)
        assert body["lanes"][0]["state"] == "waiting_for_server"
        assert worker.probe("/livez")[0] == HTTPStatus.OK  # a restart would mend nothing
        redis_server.restart()
        worker.becomes("/readyz", HTTPStatus.OK)
        publish("quick")
        worker.wait_for("done")
        assert worker.probe("/livez", "HEAD") == (HTTPStatus.OK, None)
        assert worker.probe("/metrics") == (404, {"error": "there are /livez and /readyz"})
        publish("long", 1.0)
        worker.wait_for("long")
        worker.signal(signal.SIGTERM)
        worker.becomes("/readyz", HTTPStatus.SERVICE_UNAVAILABLE)  # it takes no more
        assert worker.exit_code() == 0


@pytest.mark.slow
def test_a_stuck_lane_ends_the_worker_with_its_code_once_the_others_are_done(
    start: Start, publish: Publish, watch: Watch
) -> None:
    options = ["--stuck-after", "0.5", "--grace", "1", "--health-port", "0"]
    with start("app:timed", *options) as worker:
        publish("block", 60)
        worker.wait_for("block")
        worker.becomes("/livez", HTTPStatus.SERVICE_UNAVAILABLE)
        other = publish("quick")
        worker.wait_for("done")
        assert worker.exit_code() == 3
    assert "stuck for 0.5 s: " in worker.said()
    assert watch.job("tasks", other).state == "completed"


@pytest.mark.slow
def test_a_server_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(PROGRAM)
    with Worker(tmp_path, "redis://127.0.0.1:1/0", "app:bus", "--health-port", "0") as worker:
        worker.says("no connection to the server")
        worker.says("trying again in")
        assert worker.probe("/readyz")[0] == HTTPStatus.SERVICE_UNAVAILABLE
        assert worker.probe("/livez")[0] == HTTPStatus.OK
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0


@pytest.mark.parametrize("processes", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_wrong_password_is_for_the_operator(tmp_path: Path, processes: str) -> None:
    (tmp_path / "app.py").write_text(PROGRAM)
    with start_redis(requirepass="right") as server:
        url = server.url.replace("right", "wrong")
        with Worker(tmp_path, url, "app:bus", "--processes", processes) as worker:
            assert worker.exit_code() == 2
        assert worker.said().count("invalid username-password pair") == 1
        assert "Traceback" not in worker.said()


def test_a_queue_that_nobody_consumes_is_a_wrong_call(start: Start) -> None:
    with start("app:bus", "--queue", "task") as worker:
        assert worker.exit_code() == 2
    assert "'task' has no consumer; there are tasks" in worker.said()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ap:bus"], "there is no module 'ap'"),
        (["app"], "app is no bus, which a worker needs; it has bus, async_bus,"),
        (["app:nothing"], "app:nothing is no bus, which a worker needs; it has bus, async_bus,"),
        (["app:empty"], "app:empty has no consumer; add one with @bus.consumer(...)"),
        (["app:bus", "--processes", "0"], "0 is not in the range x>=1"),
        (["app:bus", "--grace", "-1"], "-1.0 is not in the range x>=0"),
        (["app:bus", "--health-port", "{used}"], "no health endpoint on 127.0.0.1:{used}: Address"),
        (["app:bus", "--reload"], "watchfiles: pip install 'omniq-typed[reload]'"),
    ],
)
def test_what_cannot_work_is_told_in_one_line(
    project: Project, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    project.write("app.py", PROGRAM)
    monkeypatch.setenv("OMNIQ_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setitem(__import__("sys").modules, "watchfiles", None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        used = str(taken.getsockname()[1])
        words = [each.format(used=used) for each in arguments]
        result = project.run("worker", *words, status=2)
    assert said.format(used=used) in result.stderr
    assert "Traceback" not in result.output

"""`omniq-typed worker --processes N`, and --reload: what becomes of the processes."""

from __future__ import annotations

import os
import signal
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.cli.worker_program import LONG_S, PROGRAM, Publish, Start, Worker, runs
from tests.servers import Server, wait_until
from tests.workers import Watch

pytestmark = pytest.mark.slow  # three starts of Python each
TWO = ("--processes", "2", "--health-port", "0")


def test_two_processes_share_the_work_and_sigterm_drains_both(
    start: Start, publish: Publish, watch: Watch
) -> None:
    with start("app:bus", *TWO) as worker:
        pids = worker.pids()
        ids = [publish("long", 1.0), publish("long", 1.0)]
        at_work = {int(worker.wait_for("long").split()[2]) for _ in ids}
        assert at_work == set(pids)
        # Twice to each process: as systemd does it, or Ctrl-C in a terminal.
        worker.signal_all(signal.SIGTERM)
        assert worker.exit_code() == 0
        assert [watch.job("tasks", each).state for each in ids] == ["completed", "completed"]
    assert "SIGTERM: stopping 2 processes" in worker.said()
    assert worker.said().count("queue tasks (1 at once)") == 1


@pytest.mark.parametrize("early", [True, False])
def test_ctrl_c_in_the_terminal_is_one_signal(start: Start, publish: Publish, early: bool) -> None:
    with start("app:async_bus", *TWO) as worker:
        if early:
            worker.says("health: ")
        else:
            worker.pids()
        worker.signal_all(signal.SIGINT)
        assert worker.exit_code() == 0
    assert "Traceback" not in worker.said() and "again" not in worker.said()


def test_a_second_signal_kills_the_processes(start: Start, publish: Publish) -> None:
    with start("app:bus", *TWO) as worker:
        pids = worker.pids()
        publish("block", 60)
        worker.wait_for("block")
        worker.signal(signal.SIGTERM)
        worker.says("once more to kill")
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 143
        assert not any(map(runs, pids))


@pytest.mark.parametrize(("do", "signum"), [("kill", "SIGKILL"), ("crash", "SIGSEGV")])
def test_a_process_that_dies_is_replaced_and_its_job_loses_one_attempt(
    start: Start, publish: Publish, watch: Watch, do: str, signum: str
) -> None:
    with start("app:bus", *TWO) as worker:
        before = worker.pids()
        job_id = publish(do)
        worker.wait_for(do)
        worker.says(f"was killed by {signum}")
        worker.says("another starts at once")
        job = watch.reaches("tasks", job_id, "completed")
        assert job.attempt == 2
        wait_until(lambda: len(set(worker.pids()) - set(before)) == 1, "a new one", LONG_S)
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0


def test_a_process_of_which_no_thread_runs_any_more_is_replaced(start: Start) -> None:
    with start("app:bus", *TWO, "--stuck-after", "2") as worker:
        before = worker.pids()
        os.kill(before[0], signal.SIGSTOP)
        worker.says("none of its threads runs: killing it")
        wait_until(lambda: before[0] not in worker.pids(), "a new one", LONG_S)
        assert before[1] in worker.pids()
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0


def test_no_process_outlives_its_supervisor(start: Start, publish: Publish, watch: Watch) -> None:
    with start("app:bus", *TWO) as worker:
        pids = worker.pids()
        job_id = publish("long", 60)
        worker.wait_for("long")
        worker.process.kill()
        wait_until(lambda: not any(map(runs, pids)), "all are gone", LONG_S)
        job = watch.job("tasks", job_id)
        assert (job.state, job.attempt) == ("wait", 0)
    assert worker.said().count("the supervisor is gone") == 2


def test_processes_are_ready_again_when_the_server_is_back(
    start: Start, redis_server: Server, watch: Watch
) -> None:
    with start("app:async_bus", *TWO) as worker:
        pids = worker.pids()
        redis_server.stop()
        worker.becomes("/readyz", HTTPStatus.SERVICE_UNAVAILABLE)
        assert worker.probe("/livez")[0] == HTTPStatus.OK
        redis_server.restart()
        assert worker.pids() == pids


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("app:buss", "app has no attribute 'buss'; did you mean bus?"),
        ("app:local", "memory:// is within one process, and each of 2 would have its own"),
    ],
)
def test_what_an_operator_has_to_mend_ends_all_and_is_told_once(
    start: Start, app: str, said: str
) -> None:
    with start(app, "--processes", "2") as worker:
        assert worker.exit_code() == 2
    assert worker.said().count(said) == 1
    assert "Traceback" not in worker.said()


def test_an_edit_starts_it_anew_and_a_broken_one_waits_for_the_next(
    redis_server: Server, watch: Watch, publish: Publish, tmp_path: Path
) -> None:
    app = tmp_path / "app.py"
    app.write_text(PROGRAM)
    with Worker(tmp_path, redis_server.url, "app:bus", "--reload") as worker:
        worker.says("queue tasks (1 at once)")
        job_id = publish("long", 60)
        worker.wait_for("long")
        app.write_text(PROGRAM.replace('"done"', '"edited"'))
        worker.says("app.py: starting anew")
        # The running job was given back, and is run again.
        assert worker.wait_for("long").split()[1] == job_id
        app.write_text("def broken(:\n")
        worker.says("SyntaxError")
        worker.says("waiting for an edit")
        app.write_text(PROGRAM.replace("+ task.seconds", "").replace('"done"', '"mended"'))
        assert worker.wait_for("mended") == f"mended {job_id}"
        worker.signal(signal.SIGINT)
        assert worker.exit_code() == 0

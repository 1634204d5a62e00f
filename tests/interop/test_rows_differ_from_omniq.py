"""OmniQ 4.0.0 really does what section 4 of docs/wire.md says of it; the tests named after the same
rows in tests/conformance/test_wire_rows.py show that this project does not.

OmniQ runs in a process of its own, found by OMNIQ_INTEROP_PYTHON, and only through its public
client. Each scenario is the text of a program whose last line of output is its result as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from tests.servers import Server

pytestmark = pytest.mark.interop

PRELUDE = """
import json, os, signal, sys, threading, time
import redis
from omniq.client import OmniqClient

HOST, PORT, Q, T0 = sys.argv[1], int(sys.argv[2]), "orders", 1_700_000_000_000
omniq = OmniqClient(host=HOST, port=PORT)
raw = redis.Redis(host=HOST, port=PORT, decode_responses=True)

def publish(job_id, payload=None, now=T0, **options):
    return omniq.publish(
        queue=Q, payload=payload or {}, job_id=job_id, now_ms_override=now, **options)

def reserve(now=T0):
    return omniq.reserve(queue=Q, now_ms_override=now)

def ack(job, now=T0):
    omniq.ack_success(
        queue=Q, job_id=job.job_id, lease_token=job.lease_token, now_ms_override=now)

def fail(job, now=T0):
    return omniq.ack_fail(
        queue=Q, job_id=job.job_id, lease_token=job.lease_token, error="x", now_ms_override=now)

def job_hash(job_id):
    return raw.hgetall("{orders}:job:" + job_id)

def commands_of(action, scripted):
    spy = redis.Redis(host=HOST, port=PORT, decode_responses=True)
    seen = []
    with spy.monitor() as monitor:
        action()
        raw.echo("the end")
        while "the end" not in (each := monitor.next_command())["command"]:
            if (each["client_type"] == "lua") == scripted:
                seen.append(each["command"].split())
    return seen

def stop():
    os.kill(os.getpid(), signal.SIGTERM)

def consume(handler, **options):
    try:
        omniq.consume(queue=Q, handler=handler, **options)
    except SystemExit:
        pass

def answer(result):
    print(json.dumps(result))
"""


def omniq_answers(server: Server, program: str) -> Any:
    """The result of a program that uses OmniQ 4.0.0. Skips where there is no such environment."""
    python = os.environ.get("OMNIQ_INTEROP_PYTHON")
    if not python:
        pytest.skip("OMNIQ_INTEROP_PYTHON is not set; `make interop` does it")
    done = subprocess.run(
        [python, "-c", PRELUDE + program, server.host, str(server.port)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_row_01_omniq_overwrites_an_active_job_and_delivers_it_twice(server: Server) -> None:
    program = """
publish("j", {"n": 1})
first = reserve()
publish("j", {"n": 2})
second = reserve()
answer([first.job_id, first.payload, second.job_id, second.payload])
"""
    assert omniq_answers(server, program) == ["j", '{"n":1}', "j", '{"n":2}']


def test_row_01_omniq_lists_an_id_twice(server: Server) -> None:
    program = """
publish("j")
publish("j")
answer(raw.lrange("{orders}:wait", 0, -1))
"""
    assert omniq_answers(server, program) == ["j", "j"]


def test_row_02_omniq_puts_the_end_of_a_lease_1230_seconds_ahead(server: Server) -> None:
    program = """
publish("j", timeout_ms=30_000)
job = reserve()
for beat in range(1, 61):
    now = T0 + beat * 10_000
    ends = omniq.heartbeat(
        queue=Q, job_id="j", lease_token=job.lease_token, now_ms_override=now)
answer(ends - now)
"""
    assert omniq_answers(server, program) == 1_230_000


def test_row_03_omniq_leases_a_job_whose_hash_is_gone(server: Server) -> None:
    program = """
publish("lost", {"n": 1})
publish("kept", {"n": 2})
raw.delete("{orders}:job:lost")
job = reserve()
answer([job.job_id, job.payload, job.max_attempts])
"""
    assert omniq_answers(server, program) == ["lost", "", 0]


def test_row_04_omniq_forgets_who_finished_a_set(server: Server) -> None:
    program = """
omniq.childs_init(key="report", expected=2)
answer([omniq.child_ack(key="report", child_id=child) for child in "abb"])
"""
    assert omniq_answers(server, program) == [1, 0, -1]


def test_row_05_omniq_sends_a_retry_to_the_tail_of_its_group(server: Server) -> None:
    program = """
for n in range(3):
    publish(str(n), gid="g", group_limit=1, backoff_ms=0)
fail(reserve())
done, now = [], T0 + 1
omniq.promote_delayed(queue=Q, now_ms_override=now)
while job := reserve(now):
    done.append(job.job_id)
    ack(job, now)
answer(done)
"""
    assert omniq_answers(server, program) == ["1", "2", "0"]


def test_row_06_omniq_leaves_no_reason_on_an_expired_job(server: Server) -> None:
    program = """
publish("j", timeout_ms=1000, max_attempts=1)
reserve()
reaped = omniq.reap_expired(queue=Q, now_ms_override=T0 + 5000)
job = job_hash("j")
answer([reaped, job["state"], job.get("last_error", ""), job.get("last_error_ms", "")])
"""
    assert omniq_answers(server, program) == [1, "failed", "", ""]


def test_row_07_a_skewed_omniq_client_expires_the_leases_of_others(server: Server) -> None:
    program = """
true_time, true_time_ns = time.time, time.time_ns

def clock_ahead(by_s):
    time.time = lambda: true_time() + by_s
    time.time_ns = lambda: true_time_ns() + by_s * 10**9

omniq.publish(queue=Q, payload={}, job_id="j", timeout_ms=30_000)
job = omniq.reserve(queue=Q)
seconds, _ = raw.time()
clock_ahead(3600)
answer([job.job_id, job.lock_until_ms > (seconds + 20) * 1000, omniq.reap_expired(queue=Q)])
"""
    assert omniq_answers(server, program) == ["j", True, 1]


def test_row_08_an_omniq_handler_has_only_one_way_to_fail(server: Server) -> None:
    program = """
import inspect
attempts = []

def handler(ctx):
    attempts.append(ctx.attempt)
    if len(attempts) == 3:
        stop()
    raise ValueError("no such customer")

omniq.publish(queue=Q, payload={}, job_id="j", max_attempts=3, backoff_ms=0)
consume(handler, promote_interval_s=0.05)
job = job_hash("j")
answer([attempts, job["state"], "failure" in job,
        sorted(set(inspect.signature(omniq.ack_fail).parameters))])
"""
    assert omniq_answers(server, program) == [
        [1, 2, 3],
        "failed",
        False,
        ["error", "job_id", "lease_token", "now_ms_override", "queue"],
    ]


def test_row_09_an_omniq_retry_searches_the_whole_waiting_lane(server: Server) -> None:
    program = """
publish("failed", max_attempts=1)
fail(reserve())
for n in range(3):
    publish(str(n))
retry = lambda: omniq.retry_failed(queue=Q, job_id="failed", now_ms_override=T0)
answer([words for words in commands_of(retry, scripted=True) if words[0] == "LREM"])
"""
    searched = omniq_answers(server, program)
    assert ["LREM", "{orders}:wait", "0", "failed"] in searched
    assert ["LREM", "{orders}:failed", "0", "failed"] in searched


def test_row_10_omniq_keeps_a_groups_counter_and_its_first_limit(server: Server) -> None:
    program = """
publish("a", gid="g", group_limit=2)
publish("b", gid="g", group_limit=5)
for _ in range(2):
    ack(reserve())
answer([raw.get("{orders}:g:g:inflight"), raw.ttl("{orders}:g:g:inflight"),
        raw.get("{orders}:g:g:limit"), hasattr(omniq, "set_group_limit")])
"""
    assert omniq_answers(server, program) == ["0", -1, "2", False]


def test_row_10_omniqs_backoff_is_fixed(server: Server) -> None:
    program = """
publish("j", max_attempts=4, backoff_ms=1000)
delays, now = [], T0
for _ in range(3):
    delays.append(fail(reserve(now), now)[1] - now)
    now += 1000
    omniq.promote_delayed(queue=Q, now_ms_override=now)
answer(delays)
"""
    assert omniq_answers(server, program) == [1000, 1000, 1000]


def test_row_11_an_idle_omniq_consumer_polls(server: Server) -> None:
    program = """
def calls():
    return raw.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]

def measure():
    while calls() < 5:
        time.sleep(0.05)
    began, before = time.monotonic(), calls()
    time.sleep(1.5)
    rate.append((calls() - before) / (time.monotonic() - began))
    stop()

rate = []
raw.config_resetstat()
threading.Thread(target=measure).start()
consume(lambda ctx: None)
answer(rate[0])
"""
    # 20 polls a second are its default; half of it on a busy machine is still far from blocking.
    assert omniq_answers(server, program) > 10


def test_row_11_an_omniq_job_costs_three_round_trips_and_a_thread(server: Server) -> None:
    program = """
jobs = 10

def handler(ctx):
    names.update(thread.name for thread in threading.enumerate())
    handled.append(ctx.job_id)
    if len(handled) == jobs:
        stop()

handled, names = [], set()
for n in range(jobs):
    omniq.publish(queue=Q, payload={}, job_id=str(n))
sent = commands_of(lambda: consume(handler), scripted=False)
answer([len(sent) / jobs, len(names - {"MainThread"}) / jobs])
"""
    round_trips, threads = omniq_answers(server, program)
    assert round_trips >= 3
    assert threads >= 1

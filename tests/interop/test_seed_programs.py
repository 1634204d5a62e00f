"""The programs of OmniQ's own description run on ours, with only the import line and the server's
address changed.

They are read at run time out of the installed distribution's metadata: none of their text is here.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from omniq_typed.client import OmniqClient
from omniq_typed.monitor import QueueMonitor
from tests.interop.peer import Driver, start
from tests.servers import Server, wait_until

pytestmark = pytest.mark.interop

READ_DESCRIPTION = (
    "import importlib.metadata, json;"
    "print(json.dumps(importlib.metadata.metadata('omniq').get_payload()))"
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAM_TIMEOUT_S = 60
QUEUES = {"demo", "deno", "documents", "pages", "test"}

# What the description holds, so that another one is noticed and no block is passed over.
PUBLISHERS, CONSUMERS, OTHER_PROGRAMS, FRAGMENTS = 5, 3, 3, 6
SKIPPED = {"pip install omniq": "a shell command"}


class Block:
    """One block of the description, and what it is."""

    def __init__(self, text: str) -> None:
        self.text = textwrap.dedent(text)
        self.whole = "OmniqClient(" in text or "omniq." not in re.sub("from omniq.*", "", text)
        """It needs no line of another block."""
        self.consumes = ".consume(" in text
        self.publishes = ".publish" in text

    def on(self, server: Server) -> str:
        """The program, changed as the module's docstring says."""
        text = re.sub(r"^from omniq\.", "from omniq_typed.", self.text, flags=re.MULTILINE)
        text = re.sub(r'host="[^"]+"', f'host="{server.host}"', text)
        return re.sub(r"port=\d+", f"port={server.port}", text)


@pytest.fixture(scope="module")
def blocks(omniq_python: str) -> list[Block]:
    answer = subprocess.run(
        [omniq_python, "-P", "-c", READ_DESCRIPTION], capture_output=True, check=True, timeout=30
    )
    found = [match[2] for match in BLOCK.finditer(json.loads(answer.stdout))]
    skipped = [text.strip() for text in found if text.strip() in SKIPPED]
    assert skipped == list(SKIPPED)
    return [Block(text) for text in found if text.strip() not in SKIPPED]


@pytest.fixture
def client(server: Server) -> Iterator[OmniqClient]:
    with OmniqClient(url=server.url) as made:
        yield made


@contextlib.contextmanager
def started(text: str, directory: Path) -> Generator[tuple[subprocess.Popen[str], Path]]:
    """The program, and the file of all that it says."""
    program, said = directory / "program.py", directory / "said"
    program.write_text(text)
    with open(said, "wb") as out:
        process = start(sys.executable, program, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield process, said
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def run(text: str, directory: Path) -> str:
    """To its end; answers what it said."""
    with started(text, directory) as (process, said):
        code = process.wait(PROGRAM_TIMEOUT_S)
        assert code == 0, f"{code}: {said.read_text()}"
        return said.read_text()


def test_every_block_is_accounted_for(blocks: list[Block]) -> None:
    whole = [block for block in blocks if block.whole]
    consumers = [block for block in whole if block.consumes]
    publishers = [block for block in whole if block.publishes and not block.consumes]
    assert len(publishers) == PUBLISHERS
    assert len(consumers) == CONSUMERS
    assert len(whole) - len(publishers) - len(consumers) == OTHER_PROGRAMS
    assert len(blocks) - len(whole) == FRAGMENTS


def test_publishers(
    blocks: list[Block], server: Server, client: OmniqClient, tmp_path: Path
) -> None:
    monitor = QueueMonitor(client)
    for block in blocks:
        if not block.whole or block.consumes or not block.publishes:
            continue
        said = run(block.on(server), tmp_path)
        ok, job_id = said.split()
        assert ok == "OK"
        queue = re.findall(r'queue="(\w+)"', block.text)[0]
        job = monitor.get_job(queue, job_id)
        assert job is not None and job.state == "wait"
        if "publish_json" in block.text:
            payload = json.loads(job.payload)
            assert payload["customer"]["vip"] is True and payload["tags"]
            assert (job.max_attempts, job.timeout_ms) == (5, 60_000)
    assert sum(stats.waiting for stats in monitor.stats_many()) == PUBLISHERS
    assert set(monitor.scan_queues()) <= QUEUES


def test_other_programs(
    blocks: list[Block], server: Server, client: OmniqClient, tmp_path: Path
) -> None:
    """Connecting, a handler by itself, and the discovery of queues."""
    client.publish(queue="demo", payload={})
    said = [
        run(block.on(server), tmp_path)
        for block in blocks
        if block.whole and not (block.publishes or block.consumes)
    ]
    assert sorted(said) == ["", "", "['demo']\n"]


PAYLOADS: dict[str, list[dict[str, Any]]] = {
    "demo": [{"hello": "world"}],
    "test": [{"hello": "world"}],
    "pages": [{"page": page, "completion_key": "doc-123"} for page in (1, 2)],
}
SAYS = {
    "demo": ["Waiting 2 seconds", "Done"],
    "test": ["Is paused False", "Is paused True", "Resuming", "Is paused False", "Done"],
    "pages": ["Page 1 done. Remaining=1", "Page 2 done. Remaining=0", "Last page finished."],
}


@pytest.mark.parametrize("queue", PAYLOADS)
def test_consumers(
    blocks: list[Block], server: Server, client: OmniqClient, tmp_path: Path, queue: str
) -> None:
    """Each handles what is published for it, says what it should in that order, and ends well on
    SIGTERM."""
    monitor = QueueMonitor(client)
    payloads = PAYLOADS[queue]
    client.childs_init(key="doc-123", expected=2)
    ids = [client.publish(queue=queue, payload=payload) for payload in payloads]
    with started(consumer_of(blocks, queue).on(server), tmp_path) as (process, said):
        wait_until(
            lambda: monitor.stats(queue).completed_kept == len(payloads),
            "the jobs are completed",
            PROGRAM_TIMEOUT_S,
        )
        process.terminate()
        assert process.wait(60) == 0, said.read_text()
        text = said.read_text()
    at = 0
    for line in SAYS[queue]:
        assert line in text[at:], text
        at = text.index(line, at) + len(line)
    assert all(job_id in text for job_id in ids), "verbose=True names the jobs"
    assert not client.is_paused(queue=queue)


@pytest.mark.parametrize("drain", [False, True])
def test_a_consumer_that_is_stopped_within_a_job(
    blocks: list[Block], server: Server, client: OmniqClient, tmp_path: Path, drain: bool
) -> None:
    """As written, without drain, it gives the job back at once; with drain it finishes it first."""
    text = consumer_of(blocks, "demo").on(server)
    assert text.count("drain=False") == 1
    job_id = client.publish(queue="demo", payload={})
    program = text.replace("drain=False", f"drain={drain}")
    with started(program, tmp_path) as (process, said):
        wait_until(lambda: "Waiting 2 seconds" in said.read_text(), "the job has begun", 20)
        process.terminate()
        assert process.wait(60) == 0, said.read_text()
        assert ("Done" in said.read_text()) == drain
    job = QueueMonitor(client).get_job("demo", job_id)
    assert job is not None
    assert (job.state, job.attempt) == (("completed", 1) if drain else ("wait", 0))


def consumer_of(blocks: list[Block], queue: str) -> Block:
    (found,) = [
        block for block in blocks if block.consumes and f'    queue="{queue}",\n    h' in block.text
    ]
    return found


def test_fragments(
    blocks: list[Block], server: Server, client: OmniqClient, tmp_path: Path
) -> None:
    """Lines that need the client of the description's first program: they run behind it. The ids
    that they name are there, in the lane that they speak of."""
    connect = next(block for block in blocks if block.whole)
    fragments = [block for block in blocks if not block.whole]
    monitor = QueueMonitor(client)
    ids = ["01ABC...", "01A...", "01B...", "01C..."]
    for fragment in fragments:
        server.flushall()
        for job_id in ids:
            client.publish(queue="demo", payload={}, job_id=job_id, max_attempts=1)
            job = client.reserve(queue="demo")
            assert job is not None and job.status == "JOB"
            client.ack_fail(queue="demo", job_id=job_id, lease_token=job.lease_token)
        before = monitor.stats("demo")
        said = run(f"{connect.on(server)}\n{fragment.on(server)}", tmp_path)
        after = monitor.stats("demo")
        moved = len([job_id for job_id in ids if f'"{job_id}"' in fragment.text])
        if "retry_failed" in fragment.text:
            assert (after.waiting, after.failed) == (moved, 4 - moved)
        elif "remove_job" in fragment.text:
            assert (after.waiting, after.failed) == (0, 4 - moved)
        elif fragment.publishes:
            assert (after.waiting, after.group_waiting) == (1, 1)
        else:
            assert "pause" in fragment.text
            assert before == after
        if "print" in fragment.text:
            assert said.splitlines() == [f"{job_id} OK None" for job_id in ids[1:]]


NOT_OURS = {
    # The layout of keys is not the client's business.
    "OmniqClient.queue_base.",
    "OmniqClient.queue_base.queue_name",
    "OmniqClient.__init__.scripts_dir",
    "OmniqClient.__init__.client_name",
    "QueueMonitor.__init__.uq",  # the client, which programs pass by position
    "QueueMonitor.group_status.default_limit",
}


def test_every_name_of_omniq_is_ours(omniq_driver: Driver, our_driver: Driver) -> None:
    """Of client and monitor: each method and each of its parameters, but for those listed."""
    assert omniq_driver.names() - our_driver.names() == NOT_OURS

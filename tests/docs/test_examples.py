"""Every example runs, as a program of its own, and says what its text promises."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from examples.github_webhooks.deliveries import read_deliveries
from examples.github_webhooks.messages import MESSAGES
from omniq_typed import OmniqClient, QueueMonitor
from omniq_typed.messages.codec import decode, encode
from omniq_typed.messages.registry import default_registry
from tests.servers import Server, wait_until

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
DELIVERIES = EXAMPLES / "github_webhooks" / "deliveries.jsonl"
TIMEOUT_S = 60
# Nothing listens there: the port of `discard`, below the range that the tests use.
NO_SERVER = "redis://127.0.0.1:9/0"


def command(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", module, *arguments]


def environment(url: str | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "OMNIQ_URL"}
    chosen = {} if url is None else {"OMNIQ_URL": url}
    # A fixed width, so that no line of the demo is broken where a test looks for it.
    return {**kept, **chosen, "COLUMNS": "120", "NO_COLOR": "1"}


def run(
    module: str, *arguments: str, url: str | None = None, status: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(module, *arguments),
        cwd=ROOT,
        env=environment(url),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


@contextmanager
def started(
    module: str, *arguments: str, url: str | None = None
) -> Generator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command(module, *arguments),
        cwd=ROOT,
        env={**environment(url), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def url(valkey_server: Server) -> str:
    valkey_server.ensure_running()
    valkey_server.flushall()
    return valkey_server.url


def test_every_example_has_a_test_and_a_line_in_the_index() -> None:
    programs = {path.name for path in EXAMPLES.glob("*.py")} - {"__init__.py"}
    source = Path(__file__).read_text(encoding="utf-8")
    index = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for name in programs:
        assert f'"examples.{name.removesuffix(".py")}"' in source
        assert f"[{name}]({name})" in index


def test_publish_and_consumer(url: str) -> None:
    first = run("examples.publish", url=url).stdout
    again = run("examples.publish", url=url).stdout
    assert "published invoice-2024-17" in first and "published invoice-2024-17" in again
    # Two welcomes, two reminders, and one invoice under its own id.
    consumed = run("examples.consumer", "--jobs", "5", url=url).stdout
    assert consumed.count("'template': 'welcome'") == 2
    assert consumed.count("'template': 'reminder'") == 2
    assert consumed.count("invoice-2024-17 (attempt 1 of 5)") == 1
    assert "stopped after 5 jobs" in consumed


def test_publish_json_and_consumer(url: str) -> None:
    published = run("examples.publish_json", url=url).stdout
    assert "not published: /lines/1/quantity: Input should be a valid integer" in published
    consumed = run("examples.consumer", "--queue", "orders", "--jobs", "1", url=url).stdout
    assert "'customer': {'customer_id': '9', 'name': 'Ada', 'email': None}" in consumed
    assert "'price': '19.90'" in consumed


def test_all_messages(tmp_path: Path) -> None:
    export = ("schema", "export", "examples.all_messages", "--out", str(tmp_path))
    assert "19 message types, 39 files written" in run("omniq_typed", *export).stdout
    schema = (tmp_path / "orders.created" / "v1.json").read_text(encoding="utf-8")
    assert '"title": "orders.created"' in schema
    known = (EXAMPLES / "all_messages.py").read_text(encoding="utf-8")
    for path in EXAMPLES.rglob("*.py"):
        if re.search(r"^@message\(| = message_type\(", path.read_text("utf-8"), re.MULTILINE):
            module = path.parent.name if path.stem == "messages" else path.stem
            assert f'"{module}"' in known, f"{path} has message types that all_messages misses"


def test_consumer_ends_with_ctrl_c(url: str) -> None:
    with OmniqClient(url=url) as client:
        client.publish(queue="mails", payload={"to": "ada"}, job_id="one")
    with started("examples.consumer", url=url) as consumer:
        assert consumer.stdout is not None
        assert consumer.stdout.readline() == "one (attempt 1 of 3): {'to': 'ada'}\n"
        consumer.send_signal(signal.SIGINT)
        out, err = consumer.communicate(timeout=TIMEOUT_S)
    assert out == "stopped after 1 jobs\n" and "SIGINT" in err
    assert consumer.returncode == 0


def test_pause_resume() -> None:
    said = run("examples.pause_resume").stdout.splitlines()
    loaded = [f"loaded {product}; quotes paused: True" for product in ("book", "lamp", "desk")]
    assert said[:3] == loaded
    # The import's last line and the first quote come from two threads.
    quotes = re.findall(r"quote: \w+ costs \d+ cents, of (\d) prices known", "\n".join(said))
    assert quotes == ["3", "3", "3"]


def test_document_pages(url: str) -> None:
    run("examples.document_pages", url=url)
    # Where the server keeps its data, the second run counts other documents than the first.
    said = run("examples.document_pages", url=url).stdout
    assert len(re.findall(r": page \d done", said)) == 5
    assert said.count("contract: all pages done, 10 words") == 1
    assert said.count("letter: all pages done, 4 words") == 1
    last_page = max(said.index(f"contract: page {n} done") for n in (1, 2, 3))
    assert said.index("contract: all pages done") > last_page


def test_groups() -> None:
    said = run("examples.groups").stdout
    most = {
        name: int(n) for name, n in re.findall(r"^(\w+): (\d) at once at most", said, re.MULTILINE)
    }
    assert most["ada"] == 1 and 1 <= most["bob"] <= 2
    order = re.findall(r"^(ada|bob|other)-\d", said, re.MULTILINE)
    assert len(order) == 12
    # Jobs without a group were published last, and did not have to wait for the groups.
    assert "other" in order[:6]


def test_typed_orders() -> None:
    done = run("examples.typed_orders", "--orders", "4")
    for number, amount in enumerate((600, 1200, 1800, 2400), 1):
        speed = "express" if amount > 1000 else "normal"
        assert f"ORD-{number}: invoice over {amount}, due in 14 days" in done.stdout
        assert f"ORD-{number}: {speed} parcel, caused by " in done.stdout
    assert "ORD-X" not in done.stdout
    assert "ORD-X has the amount 0" in done.stderr


def test_async_orders() -> None:
    said = run("examples.async_orders").stdout
    assert "shipped (8 of 8)" in said
    most = re.search(r"up to (\d+) items were awaited at once", said)
    assert most is not None and int(most[1]) > 2


def test_the_demo_says_what_it_did() -> None:
    said = run("examples.github_webhooks").stdout
    assert "27 published, 27 handled, 0 failed, 0 undecodable in " in said
    assert "skipped, no message type: create 1, delete 1, fork 1, watch 1" in said
    assert re.search(r"jobs/s on Valkey [\d.]+, embedded://", said)
    assert re.search(r"pull_request +│ opened 1, closed 1, labeled 1, synchronize 1", said)
    assert re.search(r"Codertocat/Hello-World │ 26", said)
    assert re.search(r"commits pushed +│ +2", said)


@pytest.mark.slow
def test_the_demo_on_a_server_that_keeps_its_data(url: str) -> None:
    with OmniqClient(url=url) as client:
        client.publish(queue="github", payload={"from": "a stranger"})
    first = run("examples.github_webhooks", "--url", url, status=1).stdout
    assert "27 published, 27 handled, 0 failed, 1 undecodable" in first
    # The deliveries are known by now, and the stranger's job, still failed, was the first run's.
    second = run("examples.github_webhooks", "--url", url, "--copies", "2").stdout
    assert "54 published, 27 handled, 0 failed, 0 undecodable" in second
    assert "known already and not handled again: 27" in second


def test_the_demo_names_what_it_cannot_publish(tmp_path: Path) -> None:
    lines = DELIVERIES.read_text(encoding="utf-8").splitlines()
    star = next(line for line in lines if '"event":"star"' in line.replace(" ", ""))
    broken = star.replace('"full_name":"Codertocat/Hello-World"', '"full_name":"Codertocat"')
    assert broken != star
    file = tmp_path / "deliveries.jsonl"
    file.write_text(f'{star}\n{broken}\n\n{{"event": "ping", "payload": {{}}}}\n')
    said = run("examples.github_webhooks", "--file", str(file)).stdout
    assert "1 published, 1 handled, 0 failed, 0 undecodable" in said
    assert "not published, invalid: star: repository/full_name: String should match" in said
    assert "skipped, no message type: ping 1" in said


def test_the_demo_ends_with_ctrl_c_and_still_reports(url: str) -> None:
    with (
        OmniqClient(url=url) as client,
        started("examples.github_webhooks", "--url", url, "--copies", "100000") as demo,
    ):
        monitor = QueueMonitor(client)
        wait_until(lambda: monitor.stats("github").completed_kept > 0, "a job is done", 30)
        demo.send_signal(signal.SIGINT)
        out, err = demo.communicate(timeout=TIMEOUT_S)
        assert monitor.stats("github").active == 0
    assert demo.returncode == 130, out + err
    assert "interrupted before everything was handled" in out
    assert "what happened" in out and "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--help"], 0, "--copies N"),
        (["--copies", "0"], 2, "0 is less than 1"),
        (["--file", "no/such/file"], 1, "No such file or directory: 'no/such/file'"),
        (["--file", "README.md"], 1, "README.md, line 1: Invalid JSON"),
        (["--url", "localhost"], 1, "github_webhooks: url: 'localhost' is none"),
        (["--url", NO_SERVER], 1, "github_webhooks: no connection to the server"),
    ],
)
def test_the_demo_explains_itself(arguments: list[str], status: int, said: str) -> None:
    done = run("examples.github_webhooks", *arguments, status=status)
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_without_rich_says_what_to_install() -> None:
    program = (
        "import runpy, sys; sys.modules['rich'] = None;"
        " runpy.run_module('examples.github_webhooks', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert done.returncode == 1
    assert done.stderr == (
        "the demo draws with the package rich: pip install 'omniq-typed[demo]'\n"
    )


def test_the_deliveries_are_ten_types_and_all_messages_survive_the_wire() -> None:
    assert DELIVERIES.stat().st_size < 350_000
    deliveries = read_deliveries(DELIVERIES)
    others = {"create", "delete", "fork", "watch"}
    assert {delivery.event for delivery in deliveries} == set(MESSAGES) | others
    for delivery in deliveries:
        assert delivery.problem == ""
        assert (delivery.message is None) == (delivery.event in others)
        if delivery.message is not None:
            message_type = default_registry.of_type(type(delivery.message))
            payload = encode(message_type, delivery.message)
            assert decode(message_type, payload) == delivery.message

"""The benchmark of peers: what it writes, how it ends, and its smallest round."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmarks.measuring import percentile
from benchmarks.peers import environments
from benchmarks.peers.adapters.skeleton import order
from benchmarks.peers.environments import ROOT, Program, Unavailable, program
from benchmarks.peers.known import BY_KEY, OURS, PEERS
from benchmarks.peers.metrics import METRICS
from benchmarks.peers.processes import PeerFailed, Publisher, Worker
from benchmarks.peers.proxy import delayed
from benchmarks.peers.results import Results
from benchmarks.peers.scenarios import draining, idling, publishing
from benchmarks.peers.stand import Stand
from benchmarks.peers.tables import full, replace_between, small, targets
from tests.servers import Server, wait_until


def results_of(**metrics: dict[str, float]) -> Results:
    """Results of one round, by metric and peer ('bullmq_node')."""
    results = Results(machine={"cores": 2})
    for metric, by_peer in metrics.items():
        for key, value in by_peer.items():
            peer = BY_KEY[key.replace("_", "-")]
            results.add(peer, Program((), {}, "1.0"), "drain", {metric: value})
    return results


class TestTables:
    def test_a_target_is_reached_or_not_by_the_ratio_within_the_run(self) -> None:
        results = results_of(
            drain={"ours": 30_000, "omniq": 1_000, "huey": 4_000, "bullmq_node": 16_000}
        )
        by_target = {row.split("|")[2].strip(): row for row in targets(results).splitlines()[2:]}
        assert "30 × (30,000 jobs/s to 1,000)" in by_target["≥ 25 × OmniQ"]
        assert by_target["≥ 25 × OmniQ"].rstrip(" |").endswith("yes")
        assert by_target["≥ 8 × the fastest Python peer (huey)"].rstrip(" |").endswith("**no**")
        assert by_target["≥ 2 × BullMQ on Node"].rstrip(" |").endswith("**no**")
        assert "not measured" in by_target["≤ 40 µs"]

    def test_the_fastest_python_peer_is_neither_ours_nor_nodes(self) -> None:
        results = results_of(drain_async={"ours": 9.0, "bullmq_node": 8.0, "arq": 2.0, "saq": 1.0})
        assert "4.5 × (9 jobs/s to 2)" in targets(results)

    def test_every_peer_that_was_measured_has_a_row_and_every_gap_a_reason(self) -> None:
        results = results_of(drain={"ours": 5_000.0, "huey": 800.0})
        results.skip(BY_KEY["saq"], "could not be installed: no network")
        results.fail(BY_KEY["huey"], "far", "handled 0 jobs")
        text = full(results)
        assert "| **omniq_typed** |" in text
        assert "| huey ¹" in text  # it does not acknowledge
        assert "saq was left out: could not be installed: no network." in text
        assert "huey failed in 'far': handled 0 jobs." in text
        assert "| saq" not in text

    def test_the_small_table_begins_with_the_quickest(self) -> None:
        rows = small(results_of(drain={"huey": 800.0, "ours": 5_000.0, "rq": 300.0})).splitlines()
        assert [row.split("|")[1].strip(" *¹") for row in rows[2:5]] == [
            "omniq_typed",
            "huey",
            "rq",
        ]

    def test_no_results_are_a_table_too(self) -> None:
        assert "not measured" in full(Results())

    def test_a_page_is_changed_between_its_markers_alone(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text("no place for it\n")
        assert not replace_between(page, "benchmarks", "TABLE")
        assert page.read_text() == "no place for it\n"
        begin = "<!-- benchmarks: written by `python -m benchmarks.peers` -->"
        page.write_text(f"before\n{begin}\nold\n<!-- end of benchmarks -->\nafter\n")
        for text in ("ONE", "TWO"):
            assert replace_between(page, "benchmarks", text)
        assert page.read_text() == (
            f"before\n{begin}\n\nTWO\n\n<!-- end of benchmarks -->\nafter\n"
        )


class TestResults:
    def test_a_second_run_replaces_what_it_measures_and_keeps_the_rest(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "deep" / "peers.json"
        first = results_of(drain={"ours": 1.0, "huey": 2.0}, publish_one={"ours": 3.0})
        first.save(path)
        second = Results.load(path)
        for value in (7.0, 9.0):
            second.add(OURS, Program((), {}, "2.0"), "drain", {"drain": value})
        second.save(path)
        third = Results.load(path)
        assert third.values == {
            "ours": {"drain": [7.0, 9.0], "publish_one": [3.0]},
            "huey": {"drain": [2.0]},
        }
        assert third.median("ours", "drain") == 8.0
        assert third.versions == {"ours": "2.0", "huey": "1.0"}
        assert [each.name for each in path.parent.iterdir()] == ["peers.json"]

    def test_a_peer_that_works_again_is_no_longer_said_to_fail(self) -> None:
        results = Results()
        results.skip(OURS, "why")
        results.fail(OURS, "drain", "why")
        results.add(OURS, Program((), {}, "1"), "drain", {"drain": 1.0})
        assert results.skipped == results.failed == {}

    @pytest.mark.parametrize(("percent", "wanted"), [(50, 2), (75, 3), (99, 4), (1, 1)])
    def test_percentiles_are_values_that_were_seen(self, percent: float, wanted: float) -> None:
        assert percentile([3, 1, 4, 2], percent) == wanted


class TestPeers:
    def test_an_order_is_about_250_bytes_of_json(self) -> None:
        assert 220 <= len(json.dumps(order(1, 10**11), separators=(",", ":"))) <= 280

    def test_every_adapter_is_there(self) -> None:
        folder = ROOT / "benchmarks" / "peers"
        for peer in PEERS:
            where = "node" if peer.language == "node" else "adapters"
            name = peer.adapter if peer.language == "node" else f"{peer.adapter}.py"
            assert (folder / where / name).is_file()

    def test_without_node_its_peer_is_left_out(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr("shutil.which", lambda name: None)
        monkeypatch.setattr(environments, "_node_of_wheel", lambda: None)
        environments.node.cache_clear()
        try:
            with pytest.raises(Unavailable, match="needs Node 18 or newer"):
                program(BY_KEY["bullmq-node"], tmp_path)
        finally:
            environments.node.cache_clear()
        assert not list(tmp_path.rglob(".installed"))

    def test_a_process_that_ends_says_its_last_words(self) -> None:
        broken = Program((sys.executable, "-c", "raise SystemExit('no such queue')"), {}, "")
        for start in (lambda: Publisher(broken, ""), lambda: Worker(broken, "", "quick")):
            with pytest.raises(PeerFailed, match="it ended: no such queue"):
                start()


def test_the_proxy_delays_both_ways_and_changes_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as echo:

        def answer() -> None:
            with echo.accept()[0] as connection, contextlib.suppress(OSError):
                while data := connection.recv(1 << 16):
                    connection.sendall(data)

        threading.Thread(target=answer, daemon=True).start()
        sent = os.urandom(1 << 20)
        with (
            delayed(echo.getsockname()[1], 30.0) as port,
            socket.create_connection(("127.0.0.1", port)) as client,
        ):
            started = time.monotonic()
            client.sendall(b"?")
            assert client.recv(1) == b"?"
            assert time.monotonic() - started >= 0.06
            threading.Thread(target=client.sendall, args=(sent,), daemon=True).start()
            got = b""
            while len(got) < len(sent):
                got += client.recv(1 << 16)
            assert got == sent


@pytest.mark.slow
def test_the_smallest_round_of_ours(redis_server: Server, tmp_path: Path) -> None:
    stand = Stand(redis_server, seconds=0.05)
    ours = program(OURS, tmp_path)
    values = publishing(stand, OURS, ours) | draining(stand, OURS, ours) | idling(stand, OURS, ours)
    assert set(values) <= set(METRICS)
    for metric in ("publish_one", "publish_in_flight", "publish_bulk", "drain", "lateness_p99"):
        assert values[metric] > 0
    assert 300 < values["memory"] < 5_000
    assert 10e6 < values["idle_rss"] < 500e6


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_measured_and_leaves_no_process(
    redis_server: Server, tmp_path: Path
) -> None:
    raw = tmp_path / "peers.json"
    words = ["-m", "benchmarks.peers", "--quick", "--peers", "ours", "--json", str(raw)]
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "drain" not in (line := process.stderr.readline()):  # it has done "publish" and "drain"
        assert line, "it ended"
    children = children_of(process.pid)
    assert children  # two servers at least
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "| **omniq_typed** |" in out
    assert Results.load(raw).median("ours", "publish_one") is not None
    for child in children:
        wait_until(lambda child=child: not alive(child), f"{child} has ended", 10.0)  # type: ignore[misc]


def children_of(pid: int) -> list[int]:
    said = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(each) for each in said.stdout.split()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

"""What is measured, by name: how it is called, in which unit, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.measuring import brief


@dataclass(frozen=True, slots=True)
class Metric:
    """Fields: label; unit (what the table shows); scale (raw values are divided by it);
    lower_is_better."""

    label: str
    unit: str
    scale: float = 1.0
    lower_is_better: bool = False

    def show(self, value: float) -> str:
        return brief(value / self.scale)


def _ms(label: str) -> Metric:
    return Metric(label, "ms", 1e3, lower_is_better=True)


METRICS = {
    "publish_one": Metric("publish one by one", "jobs/s"),
    "publish_in_flight": Metric("publish, async, 100 in flight", "jobs/s"),
    "publish_bulk": Metric("publish in bulk", "jobs/s"),
    "drain": Metric("drain", "jobs/s"),
    "drain_async": Metric("drain, async handlers", "jobs/s"),
    "drain_waiting": Metric("async handlers that wait 10 ms, 1,000 at once", "jobs/s"),
    "drain_two": Metric("drain, two worker processes", "jobs/s"),
    "drain_far": Metric("drain at 2 ms of round trip", "jobs/s"),
    "idle_latency_p50": _ms("idle latency p50"),
    "idle_latency_p99": _ms("idle latency p99"),
    "half_load_rate": Metric("half load", "jobs/s"),
    "half_load_p50": _ms("latency at half load p50"),
    "half_load_p99": _ms("latency at half load p99"),
    "lateness_p50": _ms("delayed job late p50"),
    "lateness_p99": _ms("delayed job late p99"),
    "server_cpu_us": Metric("server, a job", "µs", lower_is_better=True),
    "worker_cpu_us": Metric("worker, a job", "µs", lower_is_better=True),
    "memory": Metric("server, a waiting job", "bytes", lower_is_better=True),
    "memory_embedded": Metric("embedded server, a waiting job", "bytes", lower_is_better=True),
    "memory_side_fields": Metric(
        "embedded server, a waiting job with all side fields", "bytes", lower_is_better=True
    ),
    "idle_rss": Metric("idle worker", "MB", 1e6, lower_is_better=True),
    "idle_commands": Metric("idle worker", "commands/s", lower_is_better=True),
}

"""The peers: what each is called, how it is installed, and what is to be said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Peer:
    """One contender.

    Fields: key (of the command line and the results); name (of the tables); adapter (module of
    `adapters`); requires (what pip or npm installs); environment (variables of its processes);
    language; is_async (its quick handler is an async one); takes_async (it has async handlers);
    acknowledges (a job whose worker dies is not lost); jobs_per_s, published_per_s (about, so that
    a first round knows how many jobs make a second).
    """

    key: str
    name: str
    adapter: str
    requires: tuple[str, ...]
    jobs_per_s: int
    published_per_s: int
    is_async: bool = False
    takes_async: bool = False
    acknowledges: bool = True
    language: Literal["python", "node", "ours"] = "python"
    environment: Mapping[str, str] = field(default_factory=dict)


OURS = Peer("ours", "omniq_typed", "ours", (), 20_000, 8_000, takes_async=True, language="ours")

PEERS = (
    OURS,
    Peer("omniq", "OmniQ", "with_omniq", ("omniq==4.0.0",), 1_400, 4_000),
    Peer(
        *("faststream", "FastStream, stream", "with_faststream"),
        ("faststream[redis]", "uvloop"),
        *(2_000, 3_500),
        is_async=True,
        takes_async=True,
    ),
    Peer(
        *("faststream-list", "FastStream, list", "with_faststream"),
        ("faststream[redis]", "uvloop"),
        *(3_400, 3_500),
        is_async=True,
        takes_async=True,
        acknowledges=False,
        environment={"BENCH_FASTSTREAM": "list"},
    ),
    Peer(
        *("taskiq", "taskiq", "with_taskiq", ("taskiq", "taskiq-redis", "uvloop")),
        *(3_200, 1_500),
        is_async=True,
        takes_async=True,
    ),
    Peer("huey", "huey", "with_huey", ("huey", "redis[hiredis]"), 2_900, 4_500, acknowledges=False),
    Peer(
        *("bullmq-python", "BullMQ for Python", "with_bullmq", ("bullmq", "uvloop")),
        *(1_500, 2_500),
        is_async=True,
        takes_async=True,
    ),
    Peer(
        *("arq", "arq", "with_arq", ("arq", "uvloop")),
        *(1_200, 900),
        is_async=True,
        takes_async=True,
    ),
    Peer(
        *(
            "saq",
            "saq",
            "with_saq",
            ("saq[redis,hiredis]", "typing-extensions", "python-dateutil", "uvloop"),
        ),
        *(1_500, 1_500),
        is_async=True,
        takes_async=True,
    ),
    Peer(
        *("streaq", "streaq", "with_streaq", ("streaq", "uvloop")),
        *(1_000, 1_500),
        is_async=True,
        takes_async=True,
    ),
    Peer("celery", "Celery", "with_celery", ("celery[redis]", "pydantic"), 1_000, 800),
    Peer("rq", "rq", "with_rq", ("rq", "redis[hiredis]"), 330, 800),
    Peer(
        *("bullmq-node", "BullMQ on Node", "bullmq.mjs", ("bullmq", "ioredis")),
        *(15_000, 5_000),
        is_async=True,
        takes_async=True,
        language="node",
    ),
)
BY_KEY = {peer.key: peer for peer in PEERS}

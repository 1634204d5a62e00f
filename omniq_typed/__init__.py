"""A typed message bus on Redis and Valkey."""

from omniq_typed.aio import AsyncBus, AsyncOmniqClient
from omniq_typed.bus import Bus
from omniq_typed.client import OmniqClient
from omniq_typed.context import AsyncCtx, AsyncJobCtx, Ctx, JobCtx
from omniq_typed.core.retry import Exponential, Fixed, JobBackoff
from omniq_typed.errors import OmniqError, Reject, Retry
from omniq_typed.messages.message import Registry, message
from omniq_typed.models import ChildAck, Lane, NewJob
from omniq_typed.monitor import AsyncQueueMonitor, QueueMonitor

__version__ = "0.1.0"

__all__ = [
    "AsyncBus",
    "AsyncCtx",
    "AsyncJobCtx",
    "AsyncOmniqClient",
    "AsyncQueueMonitor",
    "Bus",
    "ChildAck",
    "Ctx",
    "Exponential",
    "Fixed",
    "JobBackoff",
    "JobCtx",
    "Lane",
    "NewJob",
    "OmniqClient",
    "OmniqError",
    "QueueMonitor",
    "Registry",
    "Reject",
    "Retry",
    "__version__",
    "message",
]

"""A typed message bus on Redis and Valkey."""

from omniq_typed.async_bus import AsyncBus
from omniq_typed.async_client import AsyncOmniqClient
from omniq_typed.bus import Bus
from omniq_typed.client import OmniqClient
from omniq_typed.context import AsyncCtx, AsyncJobCtx, Ctx, JobCtx
from omniq_typed.core.backoff import (
    ByException,
    Delays,
    Exponential,
    Fixed,
    JobBackoff,
    Linear,
    Never,
)
from omniq_typed.errors import HandlerTimeout, OmniqError, PortabilityWarning, Reject, Retry
from omniq_typed.messages.envelope import Envelope
from omniq_typed.messages.fields import SafeInt
from omniq_typed.messages.message import message, message_type
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry
from omniq_typed.messages.upcast import upcast
from omniq_typed.middleware import AsyncMiddleware, Middleware
from omniq_typed.models import (
    ChildAck,
    HandlerInfo,
    Lane,
    LaneHealth,
    NewJob,
    PublishResult,
    VersionCount,
    WorkerHealth,
)
from omniq_typed.monitor import AsyncQueueMonitor, QueueMonitor
from omniq_typed.providers import Provide
from omniq_typed.worker.invalid import DeadLetter, InvalidJob, InvalidOutcome, LeaveForOthers

__version__ = "0.1.0"

__all__ = [
    "AsyncBus",
    "AsyncCtx",
    "AsyncJobCtx",
    "AsyncMiddleware",
    "AsyncOmniqClient",
    "AsyncQueueMonitor",
    "Bus",
    "ByException",
    "ChildAck",
    "Ctx",
    "DeadLetter",
    "Delays",
    "Envelope",
    "Exponential",
    "Fixed",
    "HandlerInfo",
    "HandlerTimeout",
    "InvalidJob",
    "InvalidOutcome",
    "JobBackoff",
    "JobCtx",
    "Lane",
    "LaneHealth",
    "LeaveForOthers",
    "Linear",
    "MessageType",
    "Middleware",
    "Never",
    "NewJob",
    "OmniqClient",
    "OmniqError",
    "PortabilityWarning",
    "Provide",
    "PublishResult",
    "QueueMonitor",
    "Registry",
    "Reject",
    "Retry",
    "SafeInt",
    "VersionCount",
    "WorkerHealth",
    "__version__",
    "message",
    "message_type",
    "upcast",
]

"""What stands around publishing and handling: the classes to derive from, and those built in."""

from omniq_typed.middleware.chain import (
    AsyncHandle,
    AsyncMiddleware,
    AsyncPublish,
    Handle,
    Middleware,
    Publish,
    async_handling_chain,
    async_publishing_chain,
    check_middleware,
    handling_chain,
    publishing_chain,
)
from omniq_typed.middleware.conversation import Correlation, correlation
from omniq_typed.middleware.job_logs import LOG_FIELDS, JobFields, LogJobs
from omniq_typed.middleware.observing import OutcomeName
from omniq_typed.middleware.timing import Timed, Timing

__all__ = [
    "LOG_FIELDS",
    "AsyncHandle",
    "AsyncMiddleware",
    "AsyncPublish",
    "Correlation",
    "Handle",
    "JobFields",
    "LogJobs",
    "Middleware",
    "OutcomeName",
    "Publish",
    "Timed",
    "Timing",
    "async_handling_chain",
    "async_publishing_chain",
    "check_middleware",
    "correlation",
    "handling_chain",
    "publishing_chain",
]

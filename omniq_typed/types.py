"""OmniQ's names for what handlers get and calls return, where its programs import them from."""

from omniq_typed.context import AsyncJobCtx, JobCtx
from omniq_typed.models import BatchResult as BatchResultItem
from omniq_typed.models import ReserveJob, ReservePaused

__all__ = ["AsyncJobCtx", "BatchResultItem", "JobCtx", "ReserveJob", "ReservePaused"]

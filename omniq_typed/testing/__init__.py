"""Property-based tests of messages and handlers. Needs the extra: `pip install
'omniq-typed[testing]'`."""

from __future__ import annotations

try:
    import hypothesis as _hypothesis  # noqa: F401
except ImportError as error:
    raise ImportError(
        "omniq_typed.testing needs Hypothesis: pip install 'omniq-typed[testing]'"
    ) from error

from omniq_typed.testing.payloads import payloads
from omniq_typed.testing.strategies.registered import register_strategy

__all__ = ["payloads", "register_strategy"]

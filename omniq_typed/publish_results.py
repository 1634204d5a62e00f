"""The results of a `publish_each`, which publishes as they are asked for."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator

from omniq_typed.models import PublishResult

_FORGOTTEN = "publish_each has published nothing: it does as its results are asked for, iterate"


class Results(Iterator[PublishResult]):
    """Warns where nobody has asked for the first."""

    def __init__(self, results: Generator[PublishResult, None, None]) -> None:
        self._results = results
        self._is_asked = False

    def __iter__(self) -> Iterator[PublishResult]:
        self._is_asked = True
        return self._results

    def __next__(self) -> PublishResult:
        self._is_asked = True
        return next(self._results)

    def close(self) -> None:
        """No more are asked for; what was sent is published."""
        self._is_asked = True
        self._results.close()

    def __del__(self) -> None:
        if not self._is_asked:
            warnings.warn(_FORGOTTEN, RuntimeWarning, stacklevel=2)


class AsyncResults(AsyncIterator[PublishResult]):
    """The asyncio twin of `Results`."""

    def __init__(self, results: AsyncGenerator[PublishResult, None]) -> None:
        self._results = results
        self._is_asked = False

    def __aiter__(self) -> AsyncIterator[PublishResult]:
        self._is_asked = True
        return self._results

    async def __anext__(self) -> PublishResult:
        self._is_asked = True
        return await anext(self._results)

    async def aclose(self) -> None:
        """As `Results.close`."""
        self._is_asked = True
        await self._results.aclose()

    def __del__(self) -> None:
        if not self._is_asked:
            warnings.warn(_FORGOTTEN, RuntimeWarning, stacklevel=2)

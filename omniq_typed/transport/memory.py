"""The server of `memory://`, for tests: inside this process, of Python, and it runs the same Lua.

It is fakeredis, which the extra `omniq-typed[testing]` brings; nothing here is imported before it
is asked for. `memory://NAME` is one server for all who name it, as long as one of them has it;
`memory://` is a server of one's own.
"""

from __future__ import annotations

import importlib.util
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from omniq_typed.core.command import Command
from omniq_typed.errors import InvalidArgument
from omniq_typed.transport.address import Address
from omniq_typed.transport.clients import AnyAsyncClient, AnyClient
from omniq_typed.transport.stage import AsyncStagedTransport, Stage, StagedTransport

if TYPE_CHECKING:
    import redis
    import redis.asyncio

NEEDED = ("fakeredis", "lupa")
_OPTIONS: dict[str, Any] = {"protocol": 2}

_servers: WeakValueDictionary[str, MemoryServer] = WeakValueDictionary()
_finding = threading.Lock()


class MemoryServer:
    """A server in this process. Fields: `name`, `url`, and `stage`, its time and publications."""

    def __init__(self, name: str = "") -> None:
        """`name` '': one that nobody else uses. Raises InvalidArgument where a package is missing
        or the name is taken."""
        missing = [each for each in NEEDED if importlib.util.find_spec(each) is None]
        if missing:
            raise InvalidArgument(
                "url",
                f"memory:// needs {' and '.join(missing)}; pip install 'omniq-typed[testing]'",
            )
        import fakeredis

        self.name = name or uuid.uuid4().hex
        self.stage = Stage()
        self._server = fakeredis.FakeServer(version=(7, 2))
        self._compile_scripts_once()
        if _servers.setdefault(self.name, self) is not self:
            raise InvalidArgument("name", f"there is a memory server {name!r} already")

    def _compile_scripts_once(self) -> None:
        """fakeredis would compile a script, and collect all garbage, at each call: two fifths of
        its time. Where a later release has another inside, it goes on doing so."""
        self.client().eval("return 1", 0)  # makes the runtime
        lua = getattr(self._server, "_lua_runtime", None)
        if hasattr(lua, "compile"):
            self._server._lua_runtime = _Compiled(lua)  # type: ignore[attr-defined]

    @classmethod
    def named(cls, name: str) -> MemoryServer:
        """The server of this name, made where there is none; '' is always a new one."""
        with _finding:
            return (_servers.get(name) if name else None) or cls(name)

    @property
    def url(self) -> str:
        """For buses and clients in this process."""
        return f"memory://{self.name}"

    def client(self, **options: Any) -> redis.Redis:
        """A redis-py client; `options` as for `redis.Redis`."""
        import fakeredis

        return fakeredis.FakeRedis(server=self._server, **{**_OPTIONS, **options})

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        """An asyncio redis-py client; `options` as for `redis.asyncio.Redis`."""
        import fakeredis

        return fakeredis.FakeAsyncRedis(server=self._server, **{**_OPTIONS, **options})


class _Compiled:
    """A Lua runtime that keeps what it has compiled."""

    def __init__(self, lua: Any) -> None:
        self._lua = lua
        self._compiled: dict[bytes | str, Callable[[], Any]] = {}

    def execute(self, code: bytes | str) -> Any:
        if code == "collectgarbage()":
            return None  # Lua does it by itself
        call = self._compiled.get(code)
        if call is None:
            call = self._compiled[code] = self._lua.compile(code)
        return call()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lua, name)


class MemoryTransport(StagedTransport):
    """A transport to a memory server."""

    _client: AnyClient | None

    def __init__(self, server: MemoryServer) -> None:
        super().__init__(Address(memory=server.name), server.stage)
        self.server = server

    def _call(self, command: Command[Any], within_s: float | None = None) -> Any:
        return super()._call(as_anyone(command), within_s)

    @property
    def client(self) -> AnyClient:
        """A redis-py client."""
        if self._client is None:
            self._client = self.server.client()
        return self._client


class AsyncMemoryTransport(AsyncStagedTransport):
    """The asyncio twin of `MemoryTransport`."""

    _client: AnyAsyncClient | None

    def __init__(self, server: MemoryServer) -> None:
        super().__init__(Address(memory=server.name), server.stage)
        self.server = server

    async def _call(self, command: Command[Any]) -> Any:
        return await super()._call(as_anyone(command))

    async def client(self) -> AnyAsyncClient:
        """An asyncio redis-py client."""
        self._leave_closed_loop()
        if self._client is None:
            self._client = self.server.async_client()
        return self._client

    def blocking_twin(self) -> MemoryTransport:
        """A blocking transport to the same server."""
        return MemoryTransport(self.server)


def as_anyone(command: Command[Any]) -> Command[Any]:
    """The command as fakeredis knows it: there are no users with fewer rights."""
    return replace(command, as_reader=False) if command.as_reader else command

"""Whether the worker lives and is ready, over HTTP: GET or HEAD /livez and /readyz.

Threads of their own answer; they hold up neither the jobs nor the end of the process.
"""

from __future__ import annotations

import json
import logging
import math
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from omniq_typed import __version__

log = logging.getLogger("omniq_typed.worker")

SOCKET_TIMEOUT_S = 5.0
"""A client that neither asks nor reads on is dropped."""
MOST_AT_ONCE = 32
"""Requests; the rest are dropped, so that nobody can make threads without end."""


@dataclass(frozen=True, slots=True)
class State:
    """What a probe is answered. `body`: JSON, with whatever explains the two."""

    live: bool
    ready: bool
    body: Mapping[str, Any]


class Probes:
    """Answers from construction until the process ends, or `close`."""

    def __init__(self, host: str, port: int, look: Callable[[], State]) -> None:
        """`look` is called in any thread. Raises OSError where the address cannot be had."""
        self._server = _Server(host, port, look)
        threading.Thread(
            target=self._server.serve_forever, name="omniq-probes", daemon=True
        ).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        shown = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{shown}:{port}"

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_port = False  # a port in use is to be an error

    def __init__(self, host: str, port: int, look: Callable[[], State]) -> None:
        self.look = look
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks DNS for its name, which may take seconds.
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a probe of %s was not answered", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    timeout = SOCKET_TIMEOUT_S
    server_version = f"omniq-typed/{__version__}"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path not in ("/livez", "/readyz"):
            self._answer(HTTPStatus.NOT_FOUND, {"error": "there are /livez and /readyz"})
            return
        assert isinstance(self.server, _Server)
        state = self.server.look()
        fine = state.live if path == "/livez" else state.ready
        self._answer(HTTPStatus.OK if fine else HTTPStatus.SERVICE_UNAVAILABLE, state.body)

    do_HEAD = do_GET

    def _answer(self, status: HTTPStatus, body: Mapping[str, Any]) -> None:
        content = json.dumps(finite(body)).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("probe: %s", format % args)


def finite(it: Any) -> Any:
    """The same for JSON, which has no infinity: null stands for it."""
    if isinstance(it, float):
        return round(it, 3) if math.isfinite(it) else None
    if isinstance(it, Mapping):
        return {name: finite(each) for name, each in it.items()}
    if isinstance(it, (list, tuple)):
        return [finite(each) for each in it]
    return it

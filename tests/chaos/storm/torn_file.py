"""What is left of a write that `kill -9` cut off, at the end of a server's append-only file.

Redis puts what a script has changed between MULTI and EXEC. Where EXEC is missing it leaves the
beginning of that in the file all the same (`aof-load-truncated yes`), does not carry it out, and
appends what comes next; when the file is read once more, the EXEC of the next script carries out
both. What the torn script pushed is pushed twice then, though it was never acknowledged. Seen with
Redis 7.0.15; Valkey 9.1.2 cuts the beginning off, too (its pull request 4342)."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.servers import Server, find_binary

FOLDER = "appendonlydir"


def end_of_file(data: Path) -> Path:
    """The file to which the server of a directory appends."""
    files = (data / FOLDER).glob("*.incr.aof")
    return max(files, key=lambda each: int(each.name.split(".")[-3]))


def mend(server: Server) -> bool:
    """For a server that was killed: what docs/operations.md tells to do before it comes back.
    Answers whether a write had been torn."""
    if server.kind == "valkey":
        return False
    (manifest,) = (server.dir / FOLDER).glob("*.manifest")
    file = end_of_file(server.dir)
    size = file.stat().st_size
    # Under this name the server is redis-check-aof, which not all packages of it have.
    done = subprocess.run(
        ["redis-check-aof", "--fix", str(manifest)],
        executable=find_binary(server.kind),
        input=b"y\n",
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout.decode(errors="replace"))
    return file.stat().st_size < size


def tear(data: Path) -> None:
    """For the directory of a server that was killed: as if that had cut off its last write, which
    was of a script, just before its end."""
    file = end_of_file(data)
    written = file.read_bytes()
    if not written.endswith(b"EXEC\r\n"):
        raise RuntimeError(f"the last write was not of a script: {written[-40:]!r}")
    file.write_bytes(written.removesuffix(b"EXEC\r\n"))

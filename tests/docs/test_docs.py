"""What the documents say holds: their Python runs, their links and paths lead somewhere, and the
make targets that they name exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.run_markdown import BadBlock, blocks_of, on_test_server, python_blocks
from tests.servers import Server

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 90

WITH_CODE = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
ALL = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("**/*.md")),
    *(
        path
        for path in sorted((ROOT / "examples").glob("**/*.md"))
        if "node_modules" not in path.parts
    ),
    *sorted((ROOT / "lua").glob("**/*.md")),
    *sorted((ROOT / "benchmarks").glob("**/*.md")),
    *sorted((ROOT / "schemas").glob("**/*.md")),
]

# Paths that documents name and that are in no checkout.
ELSEWHERE = {
    "omniq_typed/lua": "where the wheel carries the scripts",
    "tests/x.py": "stands for any test file",
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


documents = pytest.mark.parametrize("document", ALL, ids=name_of)


def run_blocks(document: Path, url: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: no document sees the message types of another."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.docs.run_markdown", str(document), url],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


@pytest.fixture
def url(valkey_server: Server) -> str:
    """The server of the embedded wheel, on a port, so that redis:// URLs can mean it."""
    valkey_server.ensure_running()
    valkey_server.flushall()
    return valkey_server.url


# Pages whose examples search for what breaks laws.
LONG = ("testing.md", "testing_bus.md")


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(each, marks=[pytest.mark.slow] if each.name in LONG else [], id=name_of(each))
        for each in WITH_CODE
    ],
)
def test_the_python_of_a_document_runs(document: Path, url: str) -> None:
    if not python_blocks(document.read_text(encoding="utf-8")):
        return
    done = run_blocks(document, url)
    assert done.returncode == 0, done.stdout + done.stderr


@documents
def test_links_lead_somewhere(document: Path) -> None:
    assert broken_links(document) == []


@documents
def test_paths_in_code_spans_exist(document: Path) -> None:
    assert missing_paths(document.read_text(encoding="utf-8"), document.parent) == []


@documents
def test_make_targets_exist(document: Path) -> None:
    assert unknown_targets(document.read_text(encoding="utf-8")) == []


# The checks themselves


def prose(markdown: str) -> str:
    """The text without its fenced blocks."""
    lines = markdown.splitlines()
    for block in blocks_of(markdown):
        size = block.text.count("\n")
        lines[block.line - 2 : block.line + size] = [""] * (size + 2)
    return "\n".join(lines)


def code_spans(markdown: str) -> list[str]:
    return [span.strip() for span in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose(markdown))]


def broken_links(document: Path) -> list[str]:
    """Relative links to no file, and anchors to no heading."""
    broken = []
    text = re.sub(r"`[^`\n]*`", "", prose(document.read_text(encoding="utf-8")))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    targets += re.findall(r"^\[[^\]]+\]: +(\S+)", text, re.MULTILINE)
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = document.parent / path if path else document
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)
    return broken


def anchors(document: Path) -> set[str]:
    """What GitHub makes of the headings: lower case, no punctuation, '-' for spaces."""
    if document.suffix != ".md":
        return set()
    headings = re.findall(r"^#+ +(.+?) *$", prose(document.read_text("utf-8")), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return {
        name if earlier == 0 else f"{name}-{earlier}"
        for n, name in enumerate(plain)
        for earlier in [plain[:n].count(name)]
    }


def missing_paths(markdown: str, folder: Path) -> list[str]:
    """Code spans that name a file or folder of this project which is not there.

    A span is taken for one of ours where it is a path that starts at the top of the checkout
    (`lua/lib/x.lua`), or a name with an ending at the top (`mypy.ini`, `NOTES.md`). Paths of other
    projects start elsewhere.
    """
    tops = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    missing = []
    for span in code_spans(markdown):
        path = span.rstrip("/")
        if path in ELSEWHERE or not re.fullmatch(r"[\w.-]+(/[\w.*-]+)*", path):
            continue
        ours = "/" in path and path.split("/")[0] in tops
        at_the_top = re.fullmatch(r"[\w-]+\.(md|ini|toml)", path)
        if (ours or at_the_top) and not any(list(where.glob(path)) for where in (ROOT, folder)):
            missing.append(span)
    return missing


def unknown_targets(markdown: str) -> list[str]:
    """Targets of `make …` in code spans and shell blocks that the Makefile does not have."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    shell = [block.text for block in blocks_of(markdown) if block.language in ("sh", "bash", "")]
    named = []
    for code in [*code_spans(markdown), *shell]:
        for words in re.findall(r"(?:^|[;&|(] *)make +([^#;&|\n]+)", code, re.MULTILINE):
            named += [word for word in words.split() if re.fullmatch(r"[a-z][a-z-]*", word)]
    return [target for target in named if target not in known]


# The checks, checked

GOOD = """
# A document

```python
from dataclasses import dataclass
from omniq_typed import Bus, Ctx, OmniqClient, SafeInt, message

@message("greetings.sent", queue="greetings")
@dataclass
class Greeting:
    name: str
    chain: SafeInt = 0

bus = Bus("redis://localhost:6379/0")
greeted = []

@bus.consumer(Greeting, concurrency=2)
def greet(ctx: Ctx[Greeting]) -> None:
    greeted.append(ctx.payload.name)
    if ctx.payload.chain:
        ctx.exec.publish_json(Greeting(ctx.payload.name, ctx.payload.chain - 1))
```

Later blocks go on from there, and `run` ends when the work is done:

```python
bus.publish_json(Greeting("Ada", chain=3))
bus.run()
assert greeted == ["Ada"] * 4
```

<!-- not run: it would wipe the disk -->
```python
import shutil; shutil.rmtree("/")
```

```python
seen = []
with OmniqClient(host="localhost", port=6379) as client:
    client.publish(queue="plain", payload={"n": 1})
    client.consume(queue="plain", handler=lambda ctx: seen.append(ctx.payload))
assert seen == [{"n": 1}]
```

```python
from omniq_typed import AsyncBus, AsyncCtx

async_bus = AsyncBus.from_env()

@async_bus.consumer(Greeting)
async def greet_later(ctx: AsyncCtx[Greeting]) -> None:
    greeted.append(ctx.payload.name)

await async_bus.publish_json(Greeting("Bob"))
await async_bus.run()
assert greeted[-1] == "Bob"
await async_bus.close()
bus.close()
print(__name__, greeted)
```
"""


def test_the_runner_runs_a_good_document(tmp_path: Path, url: str) -> None:
    document = tmp_path / "good.md"
    document.write_text(GOOD)
    done = run_blocks(document, url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "__main__ ['Ada', 'Ada', 'Ada', 'Ada', 'Bob']" in done.stdout
    assert "not run: it would wipe the disk" in done.stdout
    assert "4 blocks ran" in done.stdout


def test_the_runner_fails_at_the_line_of_the_document(tmp_path: Path, url: str) -> None:
    document = tmp_path / "bad.md"
    document.write_text("Some\ntext\n\n```python\nx = 1\nassert x == 2\n```\n")
    done = run_blocks(document, url)
    assert done.returncode == 1
    assert f'File "{document}", line 6' in done.stderr
    assert "assert x == 2" in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "```py\n1\n```",
        "```python3\n1\n```",
        "```python\nnever closed",
        "<!-- not run -->\n```python\n1\n```",
        "<!-- not run: -->\n```python\n1\n```",
    ],
)
def test_blocks_cannot_escape(text: str) -> None:
    with pytest.raises(BadBlock):
        python_blocks(text)


@pytest.mark.parametrize(
    "text",
    [
        'Bus("redis://prod.example.com:6379/0")',
        'Bus("rediss://user:secret@localhost/0")',
        'OmniqClient(host="localhost")',
    ],
)
def test_blocks_cannot_reach_other_servers(text: str) -> None:
    with pytest.raises(BadBlock):
        on_test_server(text, "redis://127.0.0.1:12345/0")


def test_only_the_line_right_above_leaves_a_block_out() -> None:
    (block,) = python_blocks("<!-- not run: no reason to -->\n\n```python\n1\n```\n")
    assert block.skip_reason == ""


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One heading\n## It's `two`, here\n## One heading\n")
    document = tmp_path / "document.md"
    document.write_text(
        "[a](other.md) [b](other.md#one-heading) [c](other.md#its-two-here) [d](nowhere.md)\n"
        "[e](other.md#three) [f](https://example.com) [g](#no) [h](other.md#one-heading-1)\n"
        "`[i](code.md)`\n\n```\n[j](block.md)\n```\n\n[k]: missing.md\n"
    )
    assert broken_links(document) == ["nowhere.md", "other.md#three", "#no", "missing.md"]


def test_missing_paths_are_found() -> None:
    text = (
        "`lua/commands/enqueue.lua` `lua/commands/nothing.lua` `docs/` `docs/none/` `NOTES.md`\n"
        "`internal/their/file.go` `tests/*/test_docs.py` `mypy.ini` `make test` `x.py`\n"
    )
    assert missing_paths(text, ROOT) == ["lua/commands/nothing.lua", "docs/none/", "NOTES.md"]


def test_unknown_make_targets_are_found() -> None:
    text = "`make test`, `make fly PYTHON=python3`: we make do.\n\n```sh\nmake types lnt # x\n```"
    assert unknown_targets(text) == ["fly", "lnt"]

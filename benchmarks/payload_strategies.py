"""Which tools make valid values of realistic types: ours, Hypothesis on its own, and others.

`st.from_type` and `st.builds` of Hypothesis, polyfactory and hypothesis-jsonschema make values of
the types of `tests/testing/realistic_types.py`; an instance is valid if it can be published, JSON
if it can be read. The others are installed into an environment of their own, made where it is
missing: `python -m benchmarks.payload_strategies --venv .venv-peers`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import venv
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.measuring import brief, markdown, say, write_json

ROOT = Path(__file__).resolve().parents[1]
PEERS = ("hypothesis", "polyfactory", "hypothesis-jsonschema")
OURS = ("payloads", "wire_payloads")
THEIRS = ("st.from_type", "st.builds", "polyfactory", "hypothesis-jsonschema")


def environment(folder: Path) -> Path:
    """The Python of an environment with the peers and what we need ourselves."""
    python = folder / "bin" / "python"
    if not python.exists():
        say(f"making {folder} ...")
        venv.create(folder, with_pip=True)
        # The checkout itself is on the path: only what it needs is to be there.
        install = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, str(ROOT), *PEERS], check=True)
    return python


def results_of(python: Path | str, tool: str, values: int) -> list[dict[str, Any]]:
    """One row per type."""
    say(f"{tool} ...")
    command = [str(python), "-m", "benchmarks.payload_makers", tool, "--values", str(values)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{tool} failed:\n{done.stderr}")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def row(tool: str, results: list[dict[str, Any]]) -> list[str]:
    """A line of the table; a type of which nothing could be made counts as none valid."""
    shares = [each["valid"] / each["made"] if each["made"] else 0.0 for each in results]
    costs = [each["ms"] for each in results if "ms" in each]
    errors = Counter(each["error"].partition(":")[0] for each in results if each["error"])
    return [
        tool,
        f"{100 * sum(shares) / len(shares):.0f} %",
        str(sum(share == 1 for share in shares)),
        str(sum(0 < share < 1 for share in shares)),
        str(sum(share == 0 for share in shares)),
        ", ".join(f"{count} × {name}" for name, count in errors.most_common()) or "–",
        brief(sum(costs) / len(costs)) if costs else "–",
    ]


def versions(python: Path) -> str:
    """Of the peers."""
    command = [str(python), "-m", "pip", "list", "--format", "json"]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    known = {each["name"].lower(): each["version"] for each in listed}
    return ", ".join(f"{name} {known.get(name, '?')}" for name in (*PEERS, "pydantic"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv-peers", metavar="DIR")
    parser.add_argument("--values", type=int, default=100, help="of each type and tool")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results for programs")
    options = parser.parse_args()
    peers = environment(options.venv)
    results = {tool: results_of(sys.executable, tool, options.values) for tool in OURS}
    results |= {tool: results_of(peers, tool, options.values) for tool in THEIRS}
    header = [
        *("tool", "valid", "types: all valid", "some", "none or error", "errors"),
        "ms of a value",
    ]
    print(markdown(header, [row(tool, each) for tool, each in results.items()]))
    types = len(next(iter(results.values())))
    print(f"\n{types} types, {options.values} values of each; peers: {versions(peers)}.")
    write_json(options.json, results)


if __name__ == "__main__":
    main()

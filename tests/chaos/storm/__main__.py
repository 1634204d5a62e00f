"""`python -m tests.chaos.storm [--long] [--seed N] [--server valkey] [--report FILE]`"""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.storm.plan import LONG, SHORT
from tests.chaos.storm.report import complaint, markdown
from tests.chaos.storm.storm import run_storm


def main() -> int:
    """0: all laws hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storm", description=__doc__)
    parser.add_argument("--long", action="store_true", help="20,000 jobs and all faults")
    parser.add_argument("--seed", type=int, help="default: another one each time")
    parser.add_argument("--jobs", type=int, help="at least so many")
    parser.add_argument("--server", choices=("redis", "valkey"), default="redis")
    parser.add_argument("--report", type=Path, help="write the report, in Markdown, to this file")
    parser.add_argument("--keep", type=Path, help="an empty folder for the ledgers")
    parser.add_argument("--quiet", action="store_true", help="do not tell each fault")
    given = parser.parse_args()
    size = LONG if given.long else SHORT
    if given.jobs:
        size = dataclasses.replace(size, jobs=given.jobs)
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="omniq-storm-") as temporary:
        folder = given.keep or Path(temporary)
        verdict = run_storm(seed, size, folder, given.server, say=not given.quiet)
    command = "make chaos" if given.long else "python -m tests.chaos.storm"
    report = markdown(verdict, command)
    if given.report:
        given.report.write_text(report)
    print(report)
    if verdict.holds:
        return 0
    print(complaint(verdict))
    return 1


if __name__ == "__main__":
    sys.exit(main())

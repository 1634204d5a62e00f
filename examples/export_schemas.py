"""Exports the JSON Schemas of the examples' message types: `python -m examples.export_schemas`.

The folder is kept in version control, so that a change to what a message looks like on the wire
shows in review. `--check` writes nothing, and ends with 1 where the folder is not as the code says.
"""

import argparse
import importlib
import sys
from pathlib import Path

from omniq_typed.messages.registry import default_registry
from omniq_typed.schema import files

FOLDER = Path(__file__).parents[1] / "schemas"
# Importing a module registers its types.
MODULES = (
    "async_orders",
    "document_pages",
    "github_webhooks.messages",
    "groups",
    "other_languages.messages",
    "pause_resume",
    "typed_orders",
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Export the schemas of the examples.")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR")
    parser.add_argument("--check", action="store_true", help="only say what is stale")
    options = parser.parse_args()
    for name in MODULES:
        importlib.import_module(f"examples.{name}")
    types = default_registry.types()
    if options.check:
        findings = files.check(options.out, types)
        for finding in findings:
            print(f"{finding.problem}: {finding.path}")
        sys.exit(1 if findings else 0)
    changed = files.write(options.out, types)
    print(f"{len(types)} message types, {len(changed)} files changed in {options.out}")


if __name__ == "__main__":
    main()

"""The TypeScript of the example: it compiles under --strict, with types that follow ours."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests import node
from tests.other_languages.warehouse import MESSAGES

pytestmark = pytest.mark.slow


def tsc(folder: Path) -> str:
    """What the compiler says; '' where it has no complaint."""
    done = node.npm(folder, "exec", "--", "tsc", "--strict", "--noEmit")
    said: str = done.stdout
    assert (done.returncode != 0) == ("error TS" in said), done.stderr
    return said


def changed(example: Path, folder: Path, file: str, old: str, new: str) -> Path:
    """A copy of the example with one change in it."""
    copied: Path = shutil.copytree(example, folder, ignore=shutil.ignore_patterns("dist"))
    (folder / "node_modules").symlink_to(example.parent / "node_modules")
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    return copied


def test_the_readme_says_what_is_done_here() -> None:
    readme = (node.EXAMPLE.parent / "README.md").read_text()
    contracts = "examples/other_languages/typescript/contracts"
    assert f"omniq-typed schema export {MESSAGES} --out {contracts}/schemas\n" in readme
    assert f"omniq-typed lua export --out {contracts}/lua\n" in readme
    assert "npm install && npm run build && npm start" in readme
    assert "python -m examples.other_languages.shop" in readme


def test_it_compiles_under_strict(example: Path) -> None:
    assert tsc(example) == ""


def test_what_is_generated_is_typed(example: Path) -> None:
    """And so is what is written by hand."""
    paths = [*example.glob("src/**/*.ts"), *example.glob("generate/*.ts")]
    assert len([path for path in paths if "generated" in path.parts]) == 6
    untyped = [path for path in paths if re.search(r"\bany\b(?! )|@ts-", path.read_text())]
    assert untyped == []
    received = (example / "src/generated/parcels.ordered.v1.received.ts").read_text()
    assert 'speed?: "normal" | "express";' in received and "ship_to: Address;" in received
    sent = (example / "src/generated/parcels.packed.v1.sent.ts").read_text()
    assert 'box: "S" | "M" | "L";' in sent and "[k: string]" not in sent


def test_a_renamed_field_is_found_by_the_compiler(example: Path, tmp_path: Path) -> None:
    schema = "contracts/schemas/parcels.packed/v1.json"
    folder = changed(example, tmp_path / "copy", schema, '"tracking_code"', '"code"')
    built = node.npm(folder, "run", "build")
    assert built.returncode != 0
    assert "src/warehouse.ts" in built.stdout and "tracking_code" in built.stdout


def test_an_argument_that_a_script_lacks_is_found_by_the_compiler(
    example: Path, tmp_path: Path
) -> None:
    folder = changed(example, tmp_path / "copy", "src/omniq.ts", "upkeep: UPKEEP,", "")
    said = tsc(folder)
    assert "src/omniq.ts" in said and "upkeep" in said


def test_without_contracts_it_says_how_to_get_them(example: Path, tmp_path: Path) -> None:
    folder = changed(example, tmp_path / "copy", "tsconfig.json", "strict", "strict")
    shutil.rmtree(folder / "contracts")
    built = node.npm(folder, "run", "build")
    assert built.returncode != 0
    assert "manifest.json cannot be read; README.md says how to export it" in built.stderr


def test_another_format_of_the_manifest_is_refused(example: Path, tmp_path: Path) -> None:
    manifest = "contracts/lua/manifest.json"
    folder = changed(example, tmp_path / "copy", manifest, '"format": 1,', '"format": 2,')
    assert json.loads((folder / manifest).read_text())["format"] == 2
    built = node.npm(folder, "run", "build")
    assert built.returncode != 0
    assert "the manifest has format 2; this program reads 1" in built.stderr

"""`omniq-typed lua export`: what it writes, and what it says of a folder that it finds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from click.testing import CliRunner, Result

from omniq_typed import __version__
from omniq_typed.cli.main import cli
from omniq_typed.core.scripts import script, script_names


def export(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["lua", "export", "--out", str(folder), *options])


def test_the_scripts_lie_there_as_redis_names_them(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "lua"
    done = export(folder)
    assert done.exit_code == 0, done.output
    count = len(script_names())
    assert done.stdout == (
        f"{count} scripts and a manifest, {count + 1} files written in {folder}\n"
    )
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["package_version"] == __version__
    for name, entry in manifest["scripts"].items():
        text = (folder / entry["file"]).read_bytes()
        assert hashlib.sha1(text).hexdigest() == entry["sha1"] == script(name).sha


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    export(tmp_path)
    assert "0 files written" in export(tmp_path).stdout
    assert export(tmp_path, "--check").exit_code == 0


def test_check_names_what_is_stale_and_writes_nothing(tmp_path: Path) -> None:
    export(tmp_path)
    (tmp_path / "pause.lua").write_text("return 1")
    (tmp_path / "resume.lua").unlink()
    found = export(tmp_path, "--check")
    assert found.exit_code == 1
    assert found.stdout == f"stale: {tmp_path / 'pause.lua'}\nstale: {tmp_path / 'resume.lua'}\n"
    assert (tmp_path / "pause.lua").read_text() == "return 1"
    assert "2 files written" in export(tmp_path).stdout
    assert (tmp_path / "pause.lua").read_text() == script("pause").text


def test_files_of_others_stay_and_are_named(tmp_path: Path) -> None:
    (tmp_path / "mine.lua").write_text("return 1")
    done = export(tmp_path)
    assert done.exit_code == 0
    assert "left alone: mine.lua" in done.stderr
    assert (tmp_path / "mine.lua").read_text() == "return 1"


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    done = export(taken)
    assert done.exit_code == 2
    assert "is a file" in done.output
    assert export(taken / "below").exit_code == 2

"""What is recorded of a type's versions: in a folder, and in the folder at a revision of git."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from omniq_typed import MessageType
from omniq_typed.errors import InvalidArgument
from omniq_typed.models import Compatibility
from omniq_typed.schema.files import read_index, write
from omniq_typed.schema.history import from_git, read_history
from omniq_typed.schema.versions import Waiver, version_of


class Order(BaseModel):
    number: int


class Order2(BaseModel):
    number: int
    note: str = ""


ORDER: MessageType[Order] = MessageType("order", 1, Order)
ORDER_2: MessageType[Order2] = MessageType("order", 2, Order2, shared=True)


def git(where: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *who, *arguments], cwd=where, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Its tag `one` has v1 in the folder `wire/schemas`, its head and tag `two` have v2 too."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "README").write_text("no schemas yet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--no-gpg-sign", "-m", "first")
    git(tmp_path, "tag", "none")
    tags: dict[str, list[MessageType[Any]]] = {"one": [ORDER], "two": [ORDER, ORDER_2]}
    for tag, types in tags.items():
        write(tmp_path / "wire/schemas", types)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "--quiet", "--no-gpg-sign", "-m", tag)
        git(tmp_path, "tag", tag)
    return tmp_path


def change_index(folder: Path, **changes: Any) -> None:
    index = read_index(folder)
    index["types"]["order"] |= changes
    (folder / "index.json").write_text(json.dumps(index))


def test_a_folder_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path, [ORDER, ORDER_2])
    change_index(tmp_path, waivers=[{"version": 2, "rule": "enum_narrowed", "reason": "unused"}])
    history = read_history(tmp_path)["order"]
    assert history.mode == Compatibility.FULL_TRANSITIVE
    assert history.versions == {1: version_of(ORDER), 2: version_of(ORDER_2)}
    assert history.waivers == (Waiver(2, "enum_narrowed", "unused"),)


def test_there_is_no_history_where_there_is_no_folder(tmp_path: Path) -> None:
    assert read_history(tmp_path / "schemas") == {}


def test_a_schema_that_is_not_the_recorded_one_is_refused(tmp_path: Path) -> None:
    write(tmp_path, [ORDER])
    path = tmp_path / "order/v1.json"
    path.write_text(path.read_text().replace("integer", "string"))
    with pytest.raises(InvalidArgument, match=r"order/v1\.json has the fingerprint .* by hand"):
        read_history(tmp_path)


def test_a_schema_that_is_missing_is_named(tmp_path: Path) -> None:
    write(tmp_path, [ORDER])
    (tmp_path / "order/v1.reader.json").unlink()
    with pytest.raises(InvalidArgument, match=r"order/v1\.reader\.json cannot be read"):
        read_history(tmp_path)


@pytest.mark.parametrize("version", [{"version": 1}, {"version": "1"}, 7])
def test_an_incomplete_version_is_an_error_that_names_the_index(
    tmp_path: Path, version: object
) -> None:
    write(tmp_path, [ORDER])
    change_index(tmp_path, versions=[version])
    with pytest.raises(InvalidArgument, match=r"index\.json is no index of schemas"):
        read_history(tmp_path)


def test_a_revision_is_read_whatever_the_folder_is_now(repository: Path) -> None:
    folder = repository / "wire/schemas"
    for path in folder.rglob("*.json"):
        path.unlink()
    assert from_git("one", folder)["order"].versions == {1: version_of(ORDER)}
    two = from_git("HEAD", folder)["order"]
    assert two.versions == {1: version_of(ORDER), 2: version_of(ORDER_2)}
    assert two.mode == Compatibility.FULL_TRANSITIVE


def test_a_folder_that_is_gone_or_the_whole_repository_is_read_too(repository: Path) -> None:
    git(repository, "rm", "-r", "--quiet", "wire")
    assert from_git("one", repository / "wire/schemas").keys() == {"order"}
    assert from_git("one", repository) == {}, "it has no index of its own"
    write(repository, [ORDER])
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--no-gpg-sign", "-m", "at the top")
    assert from_git("HEAD", repository).keys() == {"order"}


def test_a_folder_that_was_not_there_has_no_history(repository: Path) -> None:
    assert from_git("none", repository / "wire/schemas") == {}


@pytest.mark.parametrize("revision", ["three", "", "--all", "one:wire"])
def test_an_unknown_revision_is_named(repository: Path, revision: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        from_git(revision, repository / "wire/schemas")
    assert caught.value.field == "revision"
    assert repr(revision) in caught.value.problem


def test_no_repository_is_an_error_that_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"not a git repository") as caught:
        from_git("HEAD", tmp_path / "schemas")
    assert str(tmp_path) in caught.value.problem


def test_no_git_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidArgument, match="git: cannot be run"):
        from_git("HEAD", tmp_path)


def test_a_broken_schema_of_a_revision_is_named(repository: Path) -> None:
    folder = repository / "wire/schemas"
    (folder / "order/v1.json").write_text("[")
    (folder / "order/v2.reader.json").unlink()
    git(repository, "commit", "--quiet", "--no-gpg-sign", "-a", "-m", "broken")
    with pytest.raises(InvalidArgument, match=r"HEAD:order/v1\.json cannot be read"):
        from_git("HEAD", folder)
    git(repository, "checkout", "--quiet", "one", "--", "wire/schemas/order/v1.json")
    git(repository, "commit", "--quiet", "--no-gpg-sign", "-a", "-m", "half mended")
    with pytest.raises(InvalidArgument, match=r"HEAD:order/v2\.reader\.json does not exist"):
        from_git("HEAD", folder)

"""From a URL, or host and port, to the address of a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from omniq_typed.consumers import embedded_url
from omniq_typed.errors import InvalidArgument
from omniq_typed.transport.address import Address, from_host, from_url

SECRET = "hush-hush"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost", "redis://localhost"),
        ("redis://h:6380/2", "redis://h:6380/2"),
        (f"redis://:{SECRET}@h:6380/2", "redis://h:6380/2"),
        (f"rediss://user:{SECRET}@h:1/0", "rediss://h:1/0"),
        (f"redis://user:{SECRET}@more@h", "redis://h"),
        (f"redis://h/0?password={SECRET}", "redis://h/0"),
        ("redis://[::1]:5/0", "redis://[::1]:5/0"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock"),
        (f"unix://user:{SECRET}@/run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_a_url_is_kept_as_it_is_and_shown_without_password(url: str, shown: str) -> None:
    address = from_url(url)
    assert address == Address(url=url)
    assert str(address) == shown
    assert SECRET not in str(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://localhost",
        "redis",
        "redis:localhost",
        "redis:/localhost",
        "embedded:",
        "embedded:/path",
        "embedded:path",
        "REDIS://localhost",
        None,
        5,
        b"redis://localhost",
        Path("/data"),
    ],
)
def test_a_url_of_no_known_scheme_is_refused(url: object) -> None:
    with pytest.raises(InvalidArgument, match="start it with one of") as caught:
        from_url(url)
    assert caught.value.field == "url"


@pytest.mark.parametrize(
    "url",
    [
        "redis://h:99999",
        "redis://h:port",
        "redis://[::1",
        "redis://h/0?db=x",
        "redis://h/0?socket_timeout=soon",
    ],
)
def test_a_url_that_redis_py_cannot_read_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        from_url(url)
    assert caught.value.field == "url"


@pytest.mark.parametrize(
    "url",
    [
        f"rediss://:{SECRET}@h:port/0",
        f"redis://user:{SECRET}@h:99999",
        f"redis://h:port?password={SECRET}",
        f"redis://user:{SECRET}/w@h:1",
        f"redis://user:w/{SECRET}@h:1",
        f"redis://user:{SECRET}#w@h:1",
        f"http://user:{SECRET}@h",
        f"http://h?password={SECRET}",
    ],
)
def test_a_refusal_tells_no_password(url: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        from_url(url)
    assert SECRET not in str(caught.value)
    # Neither does the traceback, which would show an error of redis-py's that it came from.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_slash_in_a_password_is_explained() -> None:
    with pytest.raises(InvalidArgument, match="%2F"):
        from_url("redis://user:a/b@h:1")
    with pytest.raises(InvalidArgument, match="Port could not be cast"):
        from_url("redis://user:ab@h:port")


def test_the_embedded_server_is_in_memory_without_a_path() -> None:
    address = from_url("embedded://")
    assert (address.embedded, address.data_dir, address.fsync) == (True, None, "everysec")
    assert str(address) == "embedded://"


@pytest.mark.parametrize("fsync", ["always", "everysec", "no"])
def test_the_embedded_server_keeps_its_data_at_a_path(fsync: str) -> None:
    address = from_url(f"embedded:///data/a%20b?fsync={fsync}")
    assert (address.embedded, address.data_dir, address.fsync) == (True, Path("/data/a b"), fsync)
    assert str(address) == "embedded:///data/a b"


@pytest.mark.parametrize("url", ["embedded://host/x", "embedded://host", "embedded:///x?fsync=x"])
def test_a_malformed_embedded_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        from_url(url)
    assert caught.value.field == "url"


@pytest.mark.parametrize("name", ["plain", "a b", "100%", "a%20b", "what?", "a#b", "ü", "a@b"])
def test_a_directory_of_any_name_is_found_again(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    assert from_url(embedded_url(folder)).data_dir == folder.resolve()


def test_no_directory_is_the_server_in_memory() -> None:
    assert from_url(embedded_url(None)) == Address(embedded=True)


def test_host_and_port_become_options() -> None:
    address = from_host("h", 6380, db=2, username="u", password=SECRET, ssl=True)
    assert address.options == {
        "host": "h",
        "port": 6380,
        "db": 2,
        "username": "u",
        "password": SECRET,
        "ssl": True,
    }
    assert str(address) == "redis://h:6380"


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("host", ""),
        ("host", None),
        ("host", 5),
        ("port", 0),
        ("port", 65536),
        ("port", "6379"),
        ("port", True),
        ("port", None),
        ("db", -1),
        ("db", "0"),
        ("db", True),
        ("db", None),
    ],
)
def test_what_cannot_be_an_address_is_refused_by_name(field: str, bad: object) -> None:
    arguments: dict[str, Any] = {"host": "h", "port": 1, "db": 0, field: bad}
    with pytest.raises(InvalidArgument) as caught:
        from_host(arguments["host"], arguments["port"], db=arguments["db"])
    assert caught.value.field == field


@pytest.mark.parametrize("port", [1, 65535])
def test_the_ends_of_the_range_of_ports_are_ports(port: int) -> None:
    assert from_host("h", port).options["port"] == port

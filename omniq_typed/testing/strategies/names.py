"""Names of things: UUIDs and URLs as texts."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from omniq_typed.messages.schema_walk import Place

_LOWER = string.ascii_lowercase + string.digits
_LABELS = st.text(_LOWER, min_size=1, max_size=10)
_DOMAINS = st.builds("{}.{}".format, _LABELS, st.sampled_from(["com", "example", "org", "no"]))
_HOSTS = st.one_of(
    _DOMAINS,
    st.just("localhost"),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map("[{}]".format),
)
_PORTS = st.one_of(st.just(""), st.integers(1, 65_535).map(":{}".format))
_USERS = st.sampled_from(["", "app@", "app:s3cret@"])
_SEGMENTS = st.text(string.ascii_letters + string.digits + "-._~", max_size=8)
_PATHS = st.one_of(st.just(""), st.just("/"), st.lists(_SEGMENTS, max_size=3).map("/".join))
_TAILS = st.one_of(
    st.just(""), st.builds("?{}={}".format, _LABELS, _SEGMENTS), _LABELS.map("#{}".format)
)
_USUAL_SCHEMES = ("https", "http", "ftp", "redis", "postgres")


def uuids(place: Place) -> SearchStrategy[Any]:
    """Of a version, where the type asks for one."""
    version = place.schema.get("version")
    numbers = st.integers(0, 2**128 - 1)
    if version is None:
        return numbers.map(lambda number: str(UUID(int=number)))
    return numbers.map(lambda number: str(_of_version(number, int(version))))


def _of_version(number: int, version: int) -> UUID:
    """RFC 9562: four bits for the version, two for the variant."""
    number &= ~(0xF << 76) & ~(0x3 << 62)
    return UUID(int=number | version << 76 | 0x2 << 62)


def urls(place: Place) -> SearchStrategy[Any]:
    """With one of the schemes that are allowed; half of them plain, half of them with all parts."""
    full = st.builds("{}{}{}".format, _USERS, _HOSTS, _PORTS)
    return st.one_of(
        st.builds("{}://{}".format, _schemes(place), _DOMAINS), _full(_schemes(place), full)
    )


def multi_host_urls(place: Place) -> SearchStrategy[Any]:
    """With up to three hosts."""
    hosts = st.lists(st.builds("{}{}".format, _HOSTS, _PORTS), min_size=1, max_size=3)
    return _full(_schemes(place), st.builds("{}{}".format, _USERS, hosts.map(",".join)))


def _schemes(place: Place) -> SearchStrategy[str]:
    return st.sampled_from(list(place.schema.get("allowed_schemes") or _USUAL_SCHEMES))


def _full(schemes: SearchStrategy[str], authorities: SearchStrategy[str]) -> SearchStrategy[str]:
    return st.builds(_joined, schemes, authorities, _PATHS, _TAILS)


def _joined(scheme: str, authority: str, path: str, tail: str) -> str:
    if scheme == "file":
        authority = ""  # as everybody writes them
    return f"{scheme}://{authority}{'/' if path.strip('/') else ''}{path}{tail}"


NAMES: dict[str, Callable[[Place], SearchStrategy[Any]]] = {
    "uuid": uuids,
    "url": urls,
    "multi-host-url": multi_host_urls,
}

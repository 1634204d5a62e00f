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
_USERS = st.one_of(st.just(""), _LABELS.map("{}@".format), _LABELS.map("{}:s3cret@".format))
_PORTS = st.one_of(st.just(""), st.integers(1, 65_535).map(":{}".format))
_SEGMENTS = st.text(string.ascii_letters + string.digits + "-._~", max_size=8)
_PATHS = st.one_of(st.just(""), st.lists(_SEGMENTS, max_size=3).map(lambda it: "/" + "/".join(it)))
_QUERIES = st.one_of(st.just(""), st.builds("?{}={}".format, _LABELS, _SEGMENTS))
_FRAGMENTS = st.one_of(st.just(""), _LABELS.map("#{}".format))
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
    """With one of the schemes that are allowed."""
    return _built(place, st.builds("{}{}{}".format, _USERS, _HOSTS, _PORTS))


def multi_host_urls(place: Place) -> SearchStrategy[Any]:
    """With up to three hosts."""
    hosts = st.lists(st.builds("{}{}".format, _HOSTS, _PORTS), min_size=1, max_size=3)
    return _built(place, st.builds("{}{}".format, _USERS, hosts.map(",".join)))


def _built(place: Place, authorities: SearchStrategy[str]) -> SearchStrategy[str]:
    schemes = st.sampled_from(list(place.schema.get("allowed_schemes") or _USUAL_SCHEMES))
    whole = st.builds("{}://{}{}{}{}".format, schemes, authorities, _PATHS, _QUERIES, _FRAGMENTS)
    if place.schema.get("allowed_schemes") == ["file"]:
        return st.lists(_LABELS, min_size=1, max_size=4).map(lambda it: "file:///" + "/".join(it))
    return whole


NAMES: dict[str, Callable[[Place], SearchStrategy[Any]]] = {
    "uuid": uuids,
    "url": urls,
    "multi-host-url": multi_host_urls,
}

"""Classes that Pydantic makes out of a text by a function of its own, which says nothing of the
texts that it takes."""

from __future__ import annotations

import ipaddress
import re
import string
import zoneinfo
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import EmailStr, EncodedBytes, EncodedStr, IPvAnyAddress, NameEmail
from pydantic.networks import IPvAnyInterface, IPvAnyNetwork

from omniq_typed.testing.strategies.spots import Peeled, function_of
from omniq_typed.testing.strategies.texts import ANY_CHARACTER

_V4, _V6 = st.ip_addresses(v=4), st.ip_addresses(v=6)
_WORDS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)


def _interfaces(addresses: SearchStrategy[Any], most: int) -> SearchStrategy[str]:
    return st.builds("{}/{}".format, addresses, st.integers(0, most))


def _networks(interfaces: SearchStrategy[str]) -> SearchStrategy[str]:
    """Without host bits."""
    return interfaces.map(lambda each: str(ipaddress.ip_network(each, strict=False)))


_PATHS = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1),
    max_size=4,
).map("/".join)
_ABSOLUTE_OR_NOT = st.one_of(_PATHS, _PATHS.map("/{}".format))
_EMAILS = st.builds("{}@{}.{}".format, _WORDS, _WORDS, st.sampled_from(["com", "org", "net"]))

_V4_INTERFACES, _V6_INTERFACES = _interfaces(_V4, 32), _interfaces(_V6, 128)
_BY_CLASS: dict[Any, SearchStrategy[Any]] = {
    ipaddress.IPv4Address: _V4.map(str),
    ipaddress.IPv6Address: _V6.map(str),
    ipaddress.IPv4Interface: _V4_INTERFACES,
    ipaddress.IPv6Interface: _V6_INTERFACES,
    ipaddress.IPv4Network: _networks(_V4_INTERFACES),
    ipaddress.IPv6Network: _networks(_V6_INTERFACES),
    IPvAnyAddress: st.one_of(_V4, _V6).map(str),
    IPvAnyInterface: st.one_of(_V4_INTERFACES, _V6_INTERFACES),
    IPvAnyNetwork: _networks(st.one_of(_V4_INTERFACES, _V6_INTERFACES)),
    EmailStr: _EMAILS,
    NameEmail: st.builds("{} <{}>".format, _WORDS, _EMAILS),
    re.Pattern: st.sampled_from(["", "a+", "[a-z]*", "^(?:x|y)$"]),
    zoneinfo.ZoneInfo: st.sampled_from(sorted(zoneinfo.available_timezones() or {"UTC"})),
}
# Pydantic's validators that have no class to tell them by.
_BY_FUNCTION = {
    "pattern_either_validator": re.Pattern,
    "pattern_str_validator": re.Pattern,
    "validate_str_is_valid_iana_tz": zoneinfo.ZoneInfo,
}


def known_texts(peeled: Peeled) -> SearchStrategy[Any] | None:
    """What makes a value of a well-known class; None for other places."""
    asked = peeled.content.instance_of
    if isinstance(asked, type) and issubclass(asked, PurePath):
        return _ABSOLUTE_OR_NOT
    if asked in _BY_CLASS:
        return _BY_CLASS[asked]
    for schema in peeled.functions:
        found = _by_function(function_of(schema), peeled)
        if found is not None:
            return found
    return None


def _by_function(function: Any, peeled: Peeled) -> SearchStrategy[Any] | None:
    owner = getattr(function, "__self__", None)
    if isinstance(owner, EncodedBytes | EncodedStr):
        return _encoded(owner.encoder.encode, peeled)
    if isinstance(owner, type) and owner in _BY_CLASS:
        return _BY_CLASS[owner]
    module, name = getattr(function, "__module__", ""), getattr(function, "__name__", "")
    known = _BY_FUNCTION.get(name) if str(module).startswith("pydantic.") else None
    return None if known is None else _BY_CLASS[known]


def _encoded(encode: Callable[[bytes], bytes], peeled: Peeled) -> SearchStrategy[str]:
    data = st.text(ANY_CHARACTER).map(str.encode) if peeled.kind == "str" else st.binary()
    return data.map(lambda each: encode(each).decode())

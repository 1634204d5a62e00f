"""Names of things: UUIDs, network addresses, URLs and paths."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Interface
from pathlib import PurePosixPath
from uuid import UUID

from pydantic import AnyUrl, BaseModel, HttpUrl

from tests.catalogue.kinds import both, form, kind

QUEUE = "catalogue-addresses"


class PaymentModel(BaseModel):
    payment_id: UUID


@dataclass
class PaymentDataclass:
    payment_id: UUID


UUIDS = kind(
    "uuid",
    "UUID",
    "payment_id: UUID",
    *both(
        PaymentModel,
        PaymentDataclass,
        [
            {"payment_id": UUID("0190163d-8694-739b-aea5-966c26f8ad91")},
            {"payment_id": UUID(int=0)},
            {"payment_id": UUID(int=2**128 - 1)},
        ],
    ),
    queue=QUEUE,
)


class HostModel(BaseModel):
    v4: IPv4Address
    v6: IPv6Address


@dataclass
class HostDataclass:
    v4: IPv4Address
    v6: IPv6Address


IP = kind(
    "ip_address",
    "IP addresses",
    ("v4: IPv4Address", "v6: IPv6Address"),
    *both(
        HostModel,
        HostDataclass,
        [
            {"v4": IPv4Address("192.0.2.17"), "v6": IPv6Address("2001:db8::17")},
            {"v4": IPv4Address(0), "v6": IPv6Address(0)},
            {"v4": IPv4Address("255.255.255.255"), "v6": IPv6Address(2**128 - 1)},
        ],
    ),
    queue=QUEUE,
)


class SubnetModel(BaseModel):
    net: IPv4Network
    gateway: IPv6Interface


@dataclass
class SubnetDataclass:
    net: IPv4Network
    gateway: IPv6Interface


NETWORK = kind(
    "ip_network",
    "IP networks and interfaces",
    ("net: IPv4Network", "gateway: IPv6Interface"),
    *both(
        SubnetModel,
        SubnetDataclass,
        [
            {"net": IPv4Network("198.51.100.0/24"), "gateway": IPv6Interface("2001:db8::1/64")},
            {"net": IPv4Network("0.0.0.0/0"), "gateway": IPv6Interface("::/128")},
            {"net": IPv4Network("203.0.113.7/32"), "gateway": IPv6Interface("fe80::1/10")},
        ],
    ),
    queue=QUEUE,
)


class UploadModel(BaseModel):
    stored_at: PurePosixPath


@dataclass
class UploadDataclass:
    stored_at: PurePosixPath


PATH = kind(
    "path",
    "Path",
    "stored_at: PurePosixPath",
    *both(
        UploadModel,
        UploadDataclass,
        [
            {"stored_at": PurePosixPath("/srv/uploads/årsrapport 2024.pdf")},
            {"stored_at": PurePosixPath("relative/../up")},
            {"stored_at": PurePosixPath(".")},
        ],
    ),
    queue=QUEUE,
)


class HookModel(BaseModel):
    target: HttpUrl
    database: AnyUrl


@dataclass
class HookDataclass:
    target: HttpUrl
    database: AnyUrl


URLS = (
    ("https://example.com/hooks?order=17", "postgres://app@db.example.com:5432/shop"),
    ("http://[2001:db8::1]:8080/", "redis://localhost/0"),
    ("https://xn--bcher-kva.example/%C3%BC#top", "mailto:ada@example.com"),
)

URL = kind(
    "url",
    "URLs",
    ("target: HttpUrl", "database: AnyUrl"),
    form("model", HookModel, [HookModel(target=HttpUrl(a), database=AnyUrl(b)) for a, b in URLS]),
    form("dataclass", HookDataclass, [HookDataclass(HttpUrl(a), AnyUrl(b)) for a, b in URLS]),
    queue=QUEUE,
)

KINDS = (UUIDS, IP, NETWORK, PATH, URL)

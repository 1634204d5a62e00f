"""A catalogue of message kinds with samples: what the library promises for types, it promises for
each of these. Read by the tests of delivery, of near misses, and by docs/types.md."""

from __future__ import annotations

from tests.catalogue import (
    addresses,
    amounts,
    choices,
    configured,
    containers,
    documents,
    nested,
    texts,
    times,
    unions,
    webhook,
)
from tests.catalogue.kinds import REGISTRY, Form, Kind

__all__ = ["CATALOGUE", "FORMS", "REGISTRY", "Form", "Kind"]

CATALOGUE: tuple[Kind, ...] = (
    *amounts.KINDS,
    *texts.KINDS,
    *choices.KINDS,
    *times.KINDS,
    *addresses.KINDS,
    *containers.KINDS,
    *nested.KINDS,
    *unions.KINDS,
    *configured.KINDS,
    *documents.KINDS,
    *webhook.KINDS,
)

FORMS: tuple[Form, ...] = tuple(form for kind in CATALOGUE for form in kind.forms)

"""From a line of the file to a message and its job id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from examples.github_webhooks.messages import MESSAGES, WebhookMessage


class _Line(BaseModel):
    event: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery. `message` is None for an event without a message type, and where the payload is
    not what GitHub's documentation says; `problem` says what is wrong with it then."""

    event: str
    message: WebhookMessage | None
    digest: str
    problem: str = ""

    def job_id(self, copy: int) -> str:
        """The same delivery is the same job, however often it comes. (GitHub's own id, the header
        X-GitHub-Delivery, is not part of the file; a receiver of webhooks would take that.)"""
        return f"{self.event}-{self.digest}" + (f"-{copy}" if copy else "")


def read_deliveries(path: Path) -> list[Delivery]:
    """All deliveries of a file, in order. Raises OSError, and ValueError with the number of a line
    that is no delivery."""
    return list(_read(path))


def _read(path: Path) -> Iterator[Delivery]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                parsed = _Line.model_validate_json(line)
            except ValidationError as error:
                raise ValueError(
                    f"{path}, line {number}: {error.errors()[0]['msg']}; each line has to be"
                    ' {"event": NAME, "payload": {...}}'
                ) from error
            yield _delivery(parsed, hashlib.sha256(line.strip().encode()).hexdigest()[:16])


def _delivery(line: _Line, digest: str) -> Delivery:
    message_type = MESSAGES.get(line.event)
    if message_type is None:
        return Delivery(line.event, None, digest)
    try:
        message = message_type.model_validate(line.payload)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(map(str, first["loc"]))
        return Delivery(line.event, None, digest, f"{where}: {first['msg']}")
    return Delivery(line.event, message, digest)

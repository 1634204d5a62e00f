"""Publishes plain JSON jobs: now, later, and one with rules of its own for failing.

Run consumer.py beside it, against the same server, to see them handled.
"""

import os
import time

from omniq_typed import OmniqClient

URL = os.environ.get("OMNIQ_URL", "redis://localhost:6379/0")


def main() -> None:
    with OmniqClient(url=URL) as client:
        welcome = client.publish(
            queue="mails", payload={"to": "ada@example.com", "template": "welcome"}
        )
        print("published", welcome)

        # Times are milliseconds everywhere; due_ms is a point in time, not a delay.
        in_two_seconds = int(time.time() * 1000) + 2_000
        reminder = client.publish(
            queue="mails",
            payload={"to": "ada@example.com", "template": "reminder"},
            due_ms=in_two_seconds,
        )
        print("published", reminder, "for later")

        # The caller's own id makes publishing repeatable: run this program twice, and there is
        # still one invoice 2024-17 in the queue.
        invoice = client.publish(
            queue="mails",
            payload={"to": "ada@example.com", "template": "invoice", "attachments": ["17.pdf"]},
            job_id="invoice-2024-17",
            max_attempts=5,
            timeout_ms=60_000,
            backoff_ms=10_000,
        )
        print("published", invoice)


if __name__ == "__main__":
    main()

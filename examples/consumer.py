"""Handles the plain JSON jobs of a queue, until Ctrl-C or until it has handled `--jobs` of them.

Publish some with publish.py (queue `mails`) or publish_json.py (`--queue orders`).
"""

import argparse
import os
import threading

from omniq_typed import JobCtx, OmniqClient

URL = os.environ.get("OMNIQ_URL", "redis://localhost:6379/0")


def main() -> None:
    parser = argparse.ArgumentParser(description="Handle the jobs of a queue.")
    parser.add_argument("--queue", default="mails")
    parser.add_argument("--jobs", type=int, metavar="N", help="stop after N jobs")
    options = parser.parse_args()

    stop = threading.Event()
    handled = 0

    def handle(ctx: JobCtx) -> None:
        nonlocal handled
        print(f"{ctx.job_id} (attempt {ctx.attempt} of {ctx.max_attempts}): {ctx.payload}")
        handled += 1
        if handled == options.jobs:
            stop.set()

    with OmniqClient(url=URL) as client:
        # A handler that returns completes its job. One that raises sends it back, to be tried again
        # after the job's backoff, until its attempts are used up.
        client.consume(queue=options.queue, handler=handle, stop=stop)
    print(f"stopped after {handled} jobs")


if __name__ == "__main__":
    main()

"""Groups: jobs of one customer run one after another, while those of others go on.

Five workers take the jobs of one queue. `ada` has a limit of one job at a time, `bob` of two, and
some jobs belong to no group. However many jobs one customer sends, the queue takes turns.
"""

import os
import threading
import time
from collections import Counter
from dataclasses import dataclass

from omniq_typed import Bus, Ctx, message

bus = Bus(os.environ.get("OMNIQ_URL", "embedded://"))
done = threading.Event()

LIMITS = {"ada": 1, "bob": 2}
JOBS_EACH = 4

lock = threading.Lock()
running: Counter[str] = Counter()
most_at_once: Counter[str] = Counter()
handled: Counter[str] = Counter()


@message("reports.requested", queue="reports")
@dataclass
class ReportRequested:
    title: str


@bus.consumer(ReportRequested, concurrency=5)
def make_report(ctx: Ctx[ReportRequested]) -> None:
    group = ctx.gid or "no group"
    with lock:
        running[group] += 1
        most_at_once[group] = max(most_at_once[group], running[group])
        print(f"{ctx.payload.title:<10} {group:<8} {running[group]} running in this group")
    time.sleep(0.02)  # the work
    with lock:
        running[group] -= 1
        handled[group] += 1
        if handled.total() == 3 * JOBS_EACH:
            done.set()


def main() -> None:
    with bus:
        for customer, limit in LIMITS.items():
            for number in range(1, JOBS_EACH + 1):
                # The first job of a group that names a limit sets it; the default is one.
                bus.publish_json(
                    ReportRequested(f"{customer}-{number}"), gid=customer, group_limit=limit
                )
        for number in range(1, JOBS_EACH + 1):
            bus.publish_json(ReportRequested(f"other-{number}"))
        bus.run(stop=done)
    for group, limit in LIMITS.items():
        print(f"{group}: {most_at_once[group]} at once at most, the limit is {limit}")


if __name__ == "__main__":
    main()

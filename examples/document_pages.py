"""One job becomes many, and the last of them to finish goes on: fan-out and fan-in.

A document is split into pages. Every page is a job of its own, handled in any order by any worker.
A completion counter finds out which of them is the last; that one starts what follows.
"""

import os
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass

from omniq_typed import Bus, Ctx, SafeInt, message
from omniq_typed.errors import CounterExists

bus = Bus(os.environ.get("OMNIQ_URL", "embedded://"))
all_done = threading.Event()

DOCUMENTS = {
    "contract": ["between the parties", "whereas and therefore", "signed in two copies"],
    "letter": ["dear ada", "yours truly"],
}
# Stands for the database in which a real program keeps what its handlers find out.
words_on_page: dict[tuple[str, int], int] = {}
finished: list[str] = []


@message("documents.uploaded", queue="documents")
@dataclass
class DocumentUploaded:
    document_id: str
    title: str


@message("documents.page", queue="pages")
@dataclass
class PageFound:
    document_id: str
    title: str
    page: SafeInt
    text: str


@message("documents.counted", queue="documents")
@dataclass
class PagesCounted:
    document_id: str
    title: str


@bus.consumer(DocumentUploaded)
def split(ctx: Ctx[DocumentUploaded]) -> None:
    document = ctx.payload
    pages = DOCUMENTS[document.title]
    with suppress(CounterExists):  # where an earlier attempt at this job came as far as this
        ctx.exec.childs_init(counter_of(document.document_id), len(pages))
    for number, text in enumerate(pages, 1):
        page = PageFound(document.document_id, document.title, number, text)
        # An id made from the document's: a second attempt publishes no page twice.
        ctx.exec.publish_json(page, job_id=f"{document.document_id}-page-{number}")
    print(f"{document.title}: split into {len(pages)} pages")


@bus.consumer(PageFound, concurrency=3)
def count_words(ctx: Ctx[PageFound]) -> None:
    page = ctx.payload
    words_on_page[page.document_id, page.page] = len(page.text.split())
    # Acknowledge when the work is done and stored. A page counts once however often it says so, and
    # 0 goes to one page only, and to that page again should it be tried again.
    left = ctx.exec.child_ack(counter_of(page.document_id))
    print(f"{page.title}: page {page.page} done")
    if left == 0:
        counted = PagesCounted(page.document_id, page.title)
        ctx.exec.publish_json(counted, job_id=f"{page.document_id}-counted")


@bus.consumer(PagesCounted)
def report(ctx: Ctx[PagesCounted]) -> None:
    document = ctx.payload
    words = sum(n for (id_, _), n in words_on_page.items() if id_ == document.document_id)
    print(f"{document.title}: all pages done, {words} words")
    finished.append(document.document_id)
    if len(finished) == len(DOCUMENTS):
        all_done.set()


def counter_of(document_id: str) -> str:
    """A key for each document: a counter counts one set of children, once."""
    return f"document:{document_id}"


def main() -> None:
    with bus:
        for title in DOCUMENTS:
            bus.publish_json(DocumentUploaded(uuid.uuid4().hex, title))
        bus.run(stop=all_done)


if __name__ == "__main__":
    main()

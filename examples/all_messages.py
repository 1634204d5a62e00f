"""The modules with all message types of the examples: importing this one registers them.

It is what the command line is given, so that the folder schemas/ has them all:

    omniq-typed schema export examples.all_messages
    omniq-typed schema check examples.all_messages --against git:origin/main
"""

from examples import async_orders, document_pages, groups, pause_resume, typed_orders
from examples.github_webhooks import messages as github_webhooks
from examples.other_languages import messages as other_languages

__all__ = [
    "async_orders",
    "document_pages",
    "github_webhooks",
    "groups",
    "other_languages",
    "pause_resume",
    "typed_orders",
]

"""What GitHub says, as message types: of each payload only the fields that somebody uses.

The fields are as optional as the deliveries show them to be, which is not always what one expects:
an issue of a `pinned` event has neither state nor labels, and a push that deletes a branch has no
head commit.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from omniq_typed import SafeInt, message

__all__ = [
    "MESSAGES",
    "Comment",
    "Commit",
    "CommitAuthor",
    "Issue",
    "IssueChanged",
    "IssueCommented",
    "Label",
    "PullRequest",
    "PullRequestChanged",
    "Pushed",
    "Release",
    "ReleaseChanged",
    "Repository",
    "StarChanged",
    "User",
    "WebhookMessage",
]

QUEUE = "github"

Count = Annotated[SafeInt, Field(ge=0)]


class User(BaseModel):
    login: str
    id: SafeInt
    type: Literal["User", "Organization", "Bot"]


class Repository(BaseModel):
    id: SafeInt
    full_name: str = Field(pattern="^[^/]+/[^/]+$")
    private: bool
    owner: User
    language: str | None = None


class Label(BaseModel):
    name: str
    color: str


class Issue(BaseModel):
    number: SafeInt
    title: str
    user: User
    state: Literal["open", "closed"] | None = None
    labels: list[Label] = []
    assignees: list[User] = []
    comments: Count
    created_at: AwareDatetime
    closed_at: AwareDatetime | None = None


class Comment(BaseModel):
    id: SafeInt
    user: User
    body: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


class PullRequest(BaseModel):
    number: SafeInt
    title: str
    user: User
    state: Literal["open", "closed"]
    draft: bool
    labels: list[Label]
    merged: bool
    merged_at: AwareDatetime | None
    commits: Count
    additions: Count
    deletions: Count
    changed_files: Count
    created_at: AwareDatetime


class CommitAuthor(BaseModel):
    name: str
    email: str | None = None
    username: str | None = None


class Commit(BaseModel):
    id: str = Field(pattern="^[0-9a-f]{40}$")
    message: str
    timestamp: AwareDatetime
    author: CommitAuthor
    added: list[str] = []
    removed: list[str] = []
    modified: list[str] = []


class Release(BaseModel):
    tag_name: str
    name: str | None
    author: User
    draft: bool
    prerelease: bool
    published_at: AwareDatetime | None


class WebhookMessage(BaseModel):
    """What every delivery has: where it happened, and who did it."""

    repository: Repository
    sender: User


@message("github.push", queue=QUEUE)
class Pushed(WebhookMessage):
    """`commits` is empty for a tag and for a deletion."""

    ref: str
    created: bool
    deleted: bool
    forced: bool
    commits: list[Commit]
    head_commit: Commit | None


@message("github.issues", queue=QUEUE)
class IssueChanged(WebhookMessage):
    """`label` belongs to `labeled` and `unlabeled`, `assignee` to `assigned` and `unassigned`."""

    action: Literal[
        "assigned",
        "closed",
        "deleted",
        "demilestoned",
        "edited",
        "labeled",
        "locked",
        "milestoned",
        "opened",
        "pinned",
        "reopened",
        "transferred",
        "unassigned",
        "unlabeled",
        "unlocked",
        "unpinned",
    ]
    issue: Issue
    label: Label | None = None
    assignee: User | None = None


@message("github.issue_comment", queue=QUEUE)
class IssueCommented(WebhookMessage):
    action: Literal["created", "deleted", "edited"]
    issue: Issue
    comment: Comment


@message("github.pull_request", queue=QUEUE)
class PullRequestChanged(WebhookMessage):
    """`label` and `assignee` as in IssueChanged; `requested_reviewer` is None for a team."""

    action: Literal[
        "assigned",
        "auto_merge_disabled",
        "auto_merge_enabled",
        "closed",
        "converted_to_draft",
        "edited",
        "labeled",
        "locked",
        "opened",
        "ready_for_review",
        "reopened",
        "review_request_removed",
        "review_requested",
        "synchronize",
        "unassigned",
        "unlabeled",
        "unlocked",
    ]
    pull_request: PullRequest
    label: Label | None = None
    assignee: User | None = None
    requested_reviewer: User | None = None


@message("github.release", queue=QUEUE)
class ReleaseChanged(WebhookMessage):
    action: Literal[
        "created", "deleted", "edited", "prereleased", "published", "released", "unpublished"
    ]
    release: Release


@message("github.star", queue=QUEUE)
class StarChanged(WebhookMessage):
    """`starred_at` is None when the star is taken back."""

    action: Literal["created", "deleted"]
    starred_at: AwareDatetime | None


MESSAGES: dict[str, type[WebhookMessage]] = {
    "push": Pushed,
    "issues": IssueChanged,
    "issue_comment": IssueCommented,
    "pull_request": PullRequestChanged,
    "release": ReleaseChanged,
    "star": StarChanged,
}
"""By the name that GitHub gives the event."""

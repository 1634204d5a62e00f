"""What the consumers add up. One thread handles all jobs of the demo, so nothing is locked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from examples.github_webhooks.messages import (
    IssueChanged,
    IssueCommented,
    PullRequestChanged,
    Pushed,
    ReleaseChanged,
    StarChanged,
    WebhookMessage,
)


@dataclass
class Digest:
    """Counts by repository, by person, and by what happened."""

    events_by_repository: Counter[str] = field(default_factory=Counter)
    events_by_person: Counter[str] = field(default_factory=Counter)
    actions_by_event: dict[str, Counter[str]] = field(default_factory=dict)
    happenings: Counter[str] = field(default_factory=Counter)

    @property
    def handled(self) -> int:
        return self.events_by_repository.total()

    def add_push(self, push: Pushed) -> None:
        action = "deleted" if push.deleted else "created" if push.created else "updated"
        self._add("push", action, push)
        self.happenings["commits pushed"] += len(push.commits)
        self.happenings["tags pushed"] += push.ref.startswith("refs/tags/") and not push.deleted
        for commit in push.commits:
            changed = len(commit.added) + len(commit.removed) + len(commit.modified)
            self.happenings["files changed in commits"] += changed

    def add_issue(self, change: IssueChanged) -> None:
        self._add("issues", change.action, change)
        if change.action == "labeled" and change.label is not None:
            self.happenings[f"issues labeled {change.label.name!r}"] += 1

    def add_comment(self, change: IssueCommented) -> None:
        self._add("issue_comment", change.action, change)
        if change.action == "created":
            self.happenings["words written in comments"] += len(change.comment.body.split())

    def add_pull_request(self, change: PullRequestChanged) -> None:
        self._add("pull_request", change.action, change)
        request = change.pull_request
        if change.action == "opened":
            self.happenings["lines proposed in pull requests"] += (
                request.additions + request.deletions
            )
        elif change.action == "closed":
            outcome = "merged" if request.merged else "closed without a merge"
            self.happenings[f"pull requests {outcome}"] += 1

    def add_release(self, change: ReleaseChanged) -> None:
        self._add("release", change.action, change)
        if change.action == "published":
            self.happenings[f"releases of {change.release.tag_name}"] += 1

    def add_star(self, change: StarChanged) -> None:
        self._add("star", change.action, change)
        self.happenings["stars won or lost"] += 1 if change.action == "created" else -1

    def _add(self, event: str, action: str, message: WebhookMessage) -> None:
        self.events_by_repository[message.repository.full_name] += 1
        self.events_by_person[message.sender.login] += 1
        self.actions_by_event.setdefault(event, Counter())[action] += 1

"""The time machine: real messages are decided anew, by the draft or by a revision, beside what is live.

A flip is a message that the two send to different routes. The old route is what the live revision decides now, not
what was decided when the message came: that was perhaps another revision, and its flips are not the draft's doing.
So the live revision, replayed, flips nothing. A message counts once, with its first decision; one whose route the
person chose by name is replayed too, for that route may be gone.

A replay walks from the newest decision to the oldest and keeps how far it is with what it found. A worker that dies
is a new attempt (see `workers.reaper`), which goes on from there. Cancelling closes the row; the worker notices when
it saves the next time. People who chat go first: it runs at the lowest priority, and waits while a turn is decided.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

from celery import shared_task
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, Max, OuterRef, QuerySet
from django.utils import timezone

from chatsite.chat.models import Turn
from chatsite.routing.models import Replay, ReplayedFlip
from router import drafts
from router.artefact import ArtefactError
from router.models import AuditEntry, Decision, Revision
from router.policy import Choice, Embed, Encoder, Policy, Request
from router.revisions import live_revision
from router.strategies.explicit import UnknownRouteError
from router.strategies.rules import InvalidRuleError
from workers import attempts
from workers.jobs import Job

logger = logging.getLogger(__name__)

SAVE_SECONDS = 1.0
GIVE_WAY_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 0.02
REST = 4  # times as long as it worked: `bench.replaying` tells what that does to those who chat
CHUNK = 20  # messages in memory at a time; each may have megabytes
KEPT_REPLAYS = 20


class NotReplayableError(Exception):
    """A replay that cannot be started. The text says why."""


class StillReplayingError(NotReplayableError):
    """The person has a replay that is not finished."""

    def __init__(self) -> None:
        super().__init__("You have a replay that is not finished. Wait for it, or cancel it.")


# --- Starting and cancelling --------------------------------------------------------------------------------------


def start(
    asked_by: Any, *, revision: Revision | None, newest: int, since: date | None = None, until: date | None = None
) -> Replay:
    """Have a worker replay messages through a revision, or through the draft as it is now.

    `newest` is how many at most, of those that came on the days from `since` to `until`. Raises `NotReplayableError`
    or `drafts.InvalidPolicyError`.
    """
    live = live_revision()
    if live is None:
        raise NotReplayableError("No routes have been published yet, so there is nothing to compare with.")
    content = revision.snapshot if revision else drafts.snapshot()
    classifier = revision.classifier if revision else drafts.classifier()
    if revision is None:  # a revision has been checked, and that a model of it is gone since changes no decision
        drafts.check(content)
    last = Decision.objects.aggregate(last=Max("pk"))["last"] or 0
    total = candidates(since, until)[:newest].count()
    if not total:
        raise NotReplayableError("No message was decided in that time." if since or until else "There is no message.")
    replay = Replay(asked_by=asked_by, live=live, revision=revision, snapshot=content, classifier=classifier)
    replay.newest, replay.since, replay.until = newest, since, until
    replay.before, replay.total = last + 1, total
    return _queue(replay)


def candidates(since: date | None, until: date | None) -> QuerySet[Decision]:
    """The first decision of each message of those days, the newest first."""
    earlier = Turn.objects.filter(message=OuterRef("turn__message"), decision__lt=OuterRef("pk"))
    kept = Decision.objects.filter(turn__isnull=False, turn__conversation__deleted_at=None)
    decisions = kept.filter(~Exists(earlier)).order_by("-pk")
    if since:
        decisions = decisions.filter(turn__message__created_at__date__gte=since)
    if until:
        decisions = decisions.filter(turn__message__created_at__date__lte=until)
    return decisions


def _queue(replay: Replay) -> Replay:
    """Save it, with a word in the audit log, and forget the oldest ones."""
    try:
        with transaction.atomic():
            replay.save()
            text = f"{replay} on {replay.total} message{'' if replay.total == 1 else 's'}"
            AuditEntry.write(replay.asked_by, AuditEntry.Action.REPLAY, text, replay=str(replay.pk))
            old = Replay.objects.exclude(status__in=Job.OPEN).values_list("pk", flat=True)[KEPT_REPLAYS - 1 :]
            Replay.objects.filter(pk__in=list(old)).delete()
            replay.enqueue_on_commit()
    except IntegrityError as error:
        raise StillReplayingError from error
    return replay


@transaction.atomic
def cancel(replay: Replay, actor: Any) -> None:
    """Stop a replay; one that has ended stays as it is."""
    if replay.cancel():  # who cancels has not looked at it: the entry is not one of those that say so
        AuditEntry.write(actor, AuditEntry.Action.REPLAY, f"Cancelled: {replay}", cancelled=str(replay.pk))


# --- The task -----------------------------------------------------------------------------------------------------


@shared_task(name="routing.replay_messages")
def replay_messages(replay_id: str, attempt: int) -> None:
    """Run one attempt of a replay, if it is still waiting."""
    with attempts.claimed(Replay, replay_id, attempt) as held:
        if held:
            _run(held[0])


def _run(replay: Replay) -> None:
    from chatsite.chat.answering import stored_request  # the encoder: only in a worker
    from router.decision import remembering
    from workers.encoder import encode

    try:
        live, new = _policies(replay, encode)
    except (ArtefactError, InvalidRuleError) as error:
        replay.close(Job.Status.FAILED, error_code="not_runnable", error_detail=str(error))
        return
    embed = remembering(encode)
    found = _Found(replay)
    for decision in _decisions_left(replay):
        _give_way()
        if found.is_due and not found.save():
            return
        began = time.monotonic()
        request = stored_request(decision.turn, decision)
        found.add(decision, _choose(request, live, embed), _choose(request, new, embed))
        time.sleep(REST * (time.monotonic() - began))  # a message comes when it may
    if found.save():
        replay.close(Job.Status.DONE)


def _give_way() -> None:
    """Wait while a message waits for its route, for a second at most.

    The lowest priority is not enough: two processes share caches, and on SQLite the lock for writing. Turns that are
    open for long have no worker, and wait for that.
    """
    give_up_at = time.monotonic() + GIVE_WAY_SECONDS
    since = timezone.now() - timedelta(seconds=GIVE_WAY_SECONDS)
    waiting = Turn.objects.filter(status__in=Job.OPEN, queued_at__gte=since)
    while waiting.exists() and time.monotonic() < give_up_at:
        time.sleep(LOOK_AGAIN_SECONDS)


def _policies(replay: Replay, encoder: Encoder) -> tuple[Policy, Policy]:
    from router.compiling import compile_policy
    from router.policies import policy_of

    live = policy_of(replay.live, encoder)
    return live, compile_policy(replay.snapshot, bytes(replay.classifier.content), encoder, known=live)


def _decisions_left(replay: Replay) -> Iterator[Decision]:
    """The decisions that are still to be replayed; a few in memory at a time."""
    decisions = candidates(replay.since, replay.until).select_related("turn__message").defer("scores", "evidence")
    before, left = replay.before, replay.total - replay.done
    while chunk := list(decisions.filter(pk__lt=before)[: min(CHUNK, left)]):
        before, left = chunk[-1].pk, left - len(chunk)
        yield from chunk


def _choose(request: Request, policy: Policy, embed: Embed) -> Choice:
    from router.decision import decide

    try:
        return decide(request, policy, embed)
    except UnknownRouteError:  # a person is told that there is no such route, and nobody answers
        return Choice("", "", "explicit")


class _Found:
    """What a replay has found and not saved yet."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._flips: list[ReplayedFlip] = []
        self._done = self._drift = 0
        self._before = replay.before
        self._saved_at = time.monotonic()

    def add(self, decision: Decision, old: Choice, new: Choice) -> None:
        self._done += 1
        self._before = decision.pk
        self._drift += decision.route != old.route
        if old.route != new.route:
            flip = ReplayedFlip(replay=self._replay, turn=decision.turn, old_route=old.route, new_route=new.route)
            flip.old_choice, flip.new_choice = asdict(old), asdict(new)
            self._flips.append(flip)

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._saved_at >= SAVE_SECONDS

    @transaction.atomic
    def save(self) -> bool:
        """Write it all or nothing. False means that the replay is not this attempt's any more."""
        replay = self._replay
        is_mine = replay.note(
            before=self._before,
            done=F("done") + self._done,
            flip_count=F("flip_count") + len(self._flips),
            drift_count=F("drift_count") + self._drift,
        )
        if not is_mine:
            logger.info("%s was cancelled, or another attempt goes on with it", replay)
            return False
        ReplayedFlip.objects.bulk_create(self._still_there())
        self._flips, self._done, self._drift = [], 0, 0
        self._saved_at = time.monotonic()
        return True

    def _still_there(self) -> list[ReplayedFlip]:
        """The flips of messages that nobody has deleted in the meantime."""
        turns = Turn.objects.select_for_update().filter(pk__in=[flip.turn_id for flip in self._flips])
        there = set(turns.values_list("pk", flat=True))
        return [flip for flip in self._flips if flip.turn_id in there]

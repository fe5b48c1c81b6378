"""The policies that this process decides with: the live revision's, and those of a canary and a shadow if they run.

A process asks the database which revisions run when it decides and has not asked for half a second: two indexed
rows. So a published revision is in force everywhere within that time, with nothing to be told or missed. A process
that follows (`follow`) asks also while nothing comes, so that the first message after a publication does not wait
for the compiler, and says of itself what it runs.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from router.models import Revision, Rollout, RunningProcess
from router.policy import Encoder, Policy

logger = logging.getLogger(__name__)

CHECK_INTERVAL_SECONDS = settings.POLICY_CHECK_SECONDS
FOLLOW_SECONDS = 0.25
REPORT_SECONDS = 5.0
FORGOTTEN_AFTER = timedelta(days=1)

_Key = tuple[int, Any]  # the number of a revision, and its time: a database may have been restored or replaced


class NoLiveRevisionError(LookupError):
    """Nothing has been published yet."""


@dataclass(frozen=True)
class Deployment:
    """What runs now."""

    live: Policy
    canary: Policy | None = None
    canary_rollout: Rollout | None = None
    shadow: Policy | None = None

    def policy_for(self, conversation: Any) -> Policy:
        """The policy that decides the messages of a conversation: always the same one while nothing changes.

        One that has not begun (None) is taken to be none of the canary's.
        """
        if conversation and self.canary and self.canary_rollout and self.canary_rollout.takes(conversation):
            return self.canary
        return self.live


def deployment(encoder: Encoder) -> Deployment:
    """What runs now, at most half a second old. Raises `NoLiveRevisionError`."""
    return _policies.deployment(encoder)


def live_policy(encoder: Encoder) -> Policy:
    """The compiled policy of the live revision, at most half a second old. Raises `NoLiveRevisionError`."""
    return deployment(encoder).live


def policy_of(revision: Revision, encoder: Encoder) -> Policy:
    """The compiled policy of any revision."""
    return _compiled(revision.number, encoder, None)


def follow(encoder: Encoder, stop: threading.Event) -> None:
    """Keep the policies of this process fresh, and report them, until `stop` is set."""
    started_at, reported_at = timezone.now(), 0.0
    while not stop.wait(FOLLOW_SECONDS):
        try:
            close_old_connections()
            current = deployment(encoder)
            if time.monotonic() - reported_at >= REPORT_SECONDS or current is not _policies.reported:
                _report(current, started_at)
                _policies.reported, reported_at = current, time.monotonic()
        except NoLiveRevisionError:
            continue
        except DatabaseError as error:
            logger.warning("The live revision could not be asked for, trying again: %s", error)
        except Exception:  # the next publication may be sound again; messages say what is wrong with this one
            logger.exception("The live revision cannot be compiled")


class _Policies:
    """Threads share it; a change compiles once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._compiled: dict[_Key, Policy] = {}
        self._running: tuple[Any, ...] = ()
        self._deployment: Deployment | None = None
        self._checked_at = 0.0
        self.reported: Deployment | None = None

    def deployment(self, encoder: Encoder) -> Deployment:
        with self._lock:
            now = time.monotonic()
            if self._deployment is None or now - self._checked_at >= CHECK_INTERVAL_SECONDS:
                self._deployment = self._refreshed(encoder)
                self._checked_at = now
            return self._deployment

    def _refreshed(self, encoder: Encoder) -> Deployment:
        live = Revision.objects.filter(is_live=True).values_list("number", "created_at").first()
        if live is None:
            raise NoLiveRevisionError("No routes have been published yet. Run `manage.py load_defaults`.")
        rollouts = tuple(Rollout.objects.filter(ended_at=None).select_related("revision").defer("revision__snapshot"))
        running = (live, *((rollout.pk, rollout.kind, rollout.share) for rollout in rollouts))
        if self._deployment is None or running != self._running:
            self._deployment = self._deployed_or_former(live, rollouts, encoder)
            self._running = running
        return self._deployment

    def _deployed_or_former(self, live: _Key, rollouts: tuple[Rollout, ...], encoder: Encoder) -> Deployment:
        """What runs now; what ran before, if the live revision cannot be compiled: better than no answers."""
        try:
            return self._deployed(live, rollouts, encoder)
        except DatabaseError:
            raise
        except Exception:
            if self._deployment is None:
                raise
            logger.exception("Revision %d cannot be compiled: the former one goes on", live[0])
            return self._deployment

    def _deployed(self, live: _Key, rollouts: tuple[Rollout, ...], encoder: Encoder) -> Deployment:
        by_kind = {rollout.kind: rollout for rollout in rollouts}
        compiled = {live: self._policy(live, encoder)}
        beside: dict[str, Policy] = {}
        for kind, rollout in by_kind.items():
            key = (rollout.revision_id, rollout.revision.created_at)
            try:
                compiled[key] = beside[kind] = self._policy(key, encoder)
            except DatabaseError:
                raise
            except Exception:  # what is only tried out keeps nobody from an answer
                logger.exception("%s cannot be compiled: the live revision answers in its place", rollout.revision)
        self._compiled = compiled
        return Deployment(compiled[live], beside.get("canary"), by_kind.get("canary"), beside.get("shadow"))

    def _policy(self, key: _Key, encoder: Encoder) -> Policy:
        known = next(iter(self._compiled.values()), None)
        return self._compiled.get(key) or _compiled(key[0], encoder, known)


def _compiled(number: int, encoder: Encoder, known: Policy | None) -> Policy:
    from router.compiling import compile_policy  # numpy: only the processes that decide have it

    revision = Revision.objects.select_related("classifier").get(number=number)
    content = bytes(revision.classifier.content)
    return compile_policy(revision.snapshot, content, encoder, revision=number, known=known)


def _report(current: Deployment, started_at: Any) -> None:
    now = timezone.now()
    RunningProcess.objects.filter(seen_at__lt=now - FORGOTTEN_AFTER).delete()
    RunningProcess.objects.update_or_create(
        name=f"{socket.gethostname()}:{os.getpid()}",
        defaults={
            "live": current.live.revision,
            "canary": current.canary.revision if current.canary else None,
            "shadow": current.shadow.revision if current.shadow else None,
            "started_at": started_at,
            "seen_at": now,
        },
    )


_policies = _Policies()

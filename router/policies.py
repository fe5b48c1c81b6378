"""The policies that this process decides with: the live revision's, and those of a canary and a shadow if they run.

They are those that run (`router.running`). A process that follows (`follow`) asks also while nothing comes, so that the
first message after a publication does not wait for the compiler, and says of itself what it runs.
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

from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from router.models import Revision, Rollout, RunningProcess
from router.policy import Encoder, Policy
from router.running import Key, Running, key_of, running

logger = logging.getLogger(__name__)

FOLLOW_SECONDS = 0.25
REPORT_SECONDS = 5.0
FORGOTTEN_AFTER = timedelta(days=1)


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
        self._compiled: dict[Key, Policy] = {}
        self._running: Running | None = None
        self._deployment: Deployment | None = None
        self.reported: Deployment | None = None

    def deployment(self, encoder: Encoder) -> Deployment:
        with self._lock:
            now = running()
            if now is None:
                raise NoLiveRevisionError("No routes have been published yet. Run `manage.py load_defaults`.")
            if self._deployment is None or now is not self._running:
                self._deployment = self._deployed_or_former(now, encoder)
                self._running = now
            return self._deployment

    def _deployed_or_former(self, now: Running, encoder: Encoder) -> Deployment:
        """What runs now; what ran before, if the live revision cannot be compiled: better than no answers."""
        try:
            return self._deployed(now, encoder)
        except DatabaseError:
            raise
        except Exception:
            if self._deployment is None:
                raise
            logger.exception("Revision %d cannot be compiled: the former one goes on", now.live[0])
            return self._deployment

    def _deployed(self, now: Running, encoder: Encoder) -> Deployment:
        compiled = {now.live: self._policy(now.live, encoder)}
        beside: dict[str, Policy] = {}
        for rollout in now.rollouts:
            key = key_of(rollout)
            try:
                compiled[key] = beside[rollout.kind] = self._policy(key, encoder)
            except DatabaseError:
                raise
            except Exception:  # what is only tried out keeps nobody from an answer
                logger.exception("%s cannot be compiled: the live revision answers in its place", rollout.revision)
        self._compiled = compiled
        canary = now.rollout(Rollout.Kind.CANARY)
        return Deployment(compiled[now.live], beside.get("canary"), canary, beside.get("shadow"))

    def _policy(self, key: Key, encoder: Encoder) -> Policy:
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

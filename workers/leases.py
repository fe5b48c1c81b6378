"""Leases: how everyone knows that a running job has a living process behind it.

A lease names the process that holds it. One timer thread per process renews the leases of all its jobs and says what
the process is (`workers.presence`). It looks whether somebody pressed stop, or wants the process to drain. It does not
depend on tokens: a provider that thinks for a minute is not taken for dead. Nor does it wait for a reply of Redis until
a lease has run out: a reply that is lost costs none, and one that takes less than half a lease is waited for.
"""

from __future__ import annotations

import logging
import threading
import time
from uuid import UUID

import redis
from django.conf import settings

from workers import draining, presence
from workers.backends.base import Cancellation
from workers.connections import cancel_key, client, hasty_client, wish_key
from workers.jobs import Job

logger = logging.getLogger(__name__)


def lease_key(kind: type[Job], pk: object, attempt: int) -> str:
    """Of one attempt: a frozen process that thaws must not vouch for the one that has taken over."""
    return f"lease:{kind._meta.label_lower}:{pk}:{attempt}"


class Lease:
    """Held from before the claim until the job is closed; then it runs out by itself."""

    def __init__(self, kind: type[Job], pk: object, attempt: int) -> None:
        self.kind = kind
        self.pk = pk
        self.attempt = attempt
        self.key = lease_key(kind, pk, attempt)
        self.reply_id: UUID | None = None  # once it is claimed: whose wish to stop to look for
        self.cancellation = Cancellation()

    def __enter__(self) -> Lease:
        _keeper().hold(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        _keeper().drop(self)


def claimed() -> list[Lease]:
    """The leases of the jobs that this process has claimed and not closed."""
    return [lease for lease in _keeper().leases() if lease.reply_id]


def start_keeper() -> None:
    """Start the timer of this process, if it does not run yet."""
    _keeper()


class _Keeper(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="lease-keeper", daemon=True)
        self._lease_ms = int(settings.LEASE_SECONDS * 1000)
        self._interval = min(presence.WRITE_SECONDS, settings.LEASE_SECONDS / 4)
        self._client = hasty_client(settings.LEASE_SECONDS / 2)
        self._tie = presence.Tie(self._client)
        self._leases: set[Lease] = set()
        self._lock = threading.Lock()

    def hold(self, lease: Lease) -> None:
        client().set(lease.key, self._tie.name, px=self._lease_ms)  # may raise: then nobody would drop it
        with self._lock:
            self._leases.add(lease)

    def drop(self, lease: Lease) -> None:
        with self._lock:
            self._leases.discard(lease)

    def leases(self) -> list[Lease]:
        with self._lock:
            return list(self._leases)

    def run(self) -> None:
        while True:
            due = time.monotonic() + self._interval
            try:
                self._renew()
            except redis.RedisError as error:
                logger.warning("Leases could not be renewed: %s", error)
            except Exception:  # whatever it is, no job of this process may be taken for dead because of it
                logger.exception("Leases may not have been renewed; trying again")
            presence.own.changed.wait(max(0.0, due - time.monotonic()))
            presence.own.changed.clear()

    def _renew(self) -> None:
        leases = self.leases()
        watched = [lease for lease in leases if lease.reply_id]
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.get(wish_key(presence.own.name))
            pipeline.pubsub_numsub(presence.tie_channel(presence.own.name))
            for lease in leases:
                pipeline.set(lease.key, self._tie.name, px=self._lease_ms)
            presence.own.write(pipeline, self._lease_ms)
            if watched:
                pipeline.mget([cancel_key(lease.reply_id) for lease in watched if lease.reply_id])
            wish, [(_, subscribers)], *replies = pipeline.execute()
        if watched:
            for lease, pressed in zip(watched, replies[-1], strict=True):
                if pressed:
                    lease.cancellation.set("cancelled")
        presence.own.on_tick()
        if wish:
            draining.heed(wish, self._client)
        if presence.own.name:
            self._tie.follow(presence.own.name, bool(subscribers))


_lock = threading.Lock()
_instance: _Keeper | None = None


def _keeper() -> _Keeper:
    global _instance
    with _lock:
        if _instance is None or not _instance.is_alive():
            _instance = _Keeper()
            _instance.start()
        return _instance

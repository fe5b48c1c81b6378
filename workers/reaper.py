"""The reaper: gives back what was lost between the database, the broker and a dead process.

Once per `SCAN_SECONDS` it looks at the open rows of every kind of job:

* queued, for a while neither in a queue nor in a worker's hand: published again (harmless if wrong: a claim happens
  once);
* held, though it is its person's turn: released;
* running, and on two scans in a row in nobody's hand, as its lease has run out or its process has died: a new attempt,
  which goes first;
* out of attempts: quarantined, and whoever waits for the reply is told.

It also keeps the line: what those who wait are told (`workers.line`).

A row that cannot be dealt with is passed over, and all others get what they need.

Only one reaper is on duty. What else has to be looked after by one process at a time, with nobody there to ask for it,
listens to `on_duty`. After a restart of Redis, or a time without it, it waits until living workers have renewed
their leases.
Ages are measured on the reaper's own monotonic clock, so that a jump of any clock starts nothing.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db import OperationalError as DatabaseAwayError
from django.dispatch import Signal
from kombu.exceptions import OperationalError

from workers import broker, isolation, presence
from workers.connections import client, looking_key, server_run
from workers.jobs import Job
from workers.leases import lease_key
from workers.line import Line
from workers.logs import about

logger = logging.getLogger(__name__)

SCAN_SECONDS = 0.25
SCANS_IN_NO_HAND = 2
# A new attempt may be in the hand of a worker that dies as well, before it claims it: whoever watches that answer waits
# for its lease and for this.
LOST_AFTER_SECONDS = 1.0
LOOK_SECONDS = 0.5  # between two looks at the queues; less than the above, see `broker.lost`
DUTY_SECONDS = 2  # after which another reaper takes over from one that was killed
LINE_SECONDS = 1.0
ROUND_SECONDS = 5
# How often a job that runs alone may die together with its witness: then somebody kills workers, or it takes whole
# machines along.
UNWITNESSED_DEATHS = 5

# Sent every `ROUND_SECONDS` by the reaper that is on duty. What a receiver raises is logged, and stops nothing.
on_duty = Signal()


@dataclass(frozen=True)
class _Sighting:
    """One attempt of one job in one state."""

    kind: type[Job]
    pk: Any
    attempt: int
    status: str
    held_for: Any = None  # the person whose turn it has to be first

    def load(self) -> Job | None:
        """The row, if it is still as it was seen."""
        rows = self.kind._default_manager.filter(pk=self.pk, attempt=self.attempt, status=self.status)
        return self.kind.with_queues(rows).first()


class Reaper:
    """Scans until told to stop."""

    def __init__(self) -> None:
        self._token = secrets.token_hex(8)
        self._first_seen: dict[_Sighting, float] = {}
        self._in_no_hand: dict[_Sighting, int] = {}  # on how many scans in a row
        self._passed_over: set[_Sighting] = set()
        self._run_id = ""
        self._patient_until = 0.0
        self._next_round = 0.0
        self._next_look = 0.0
        self._next_line = 0.0
        self._line = Line()

    def run(self, stop: threading.Event) -> None:
        """Scan until `stop` is set. A database or Redis that is away is waited for."""
        while not stop.wait(SCAN_SECONDS):
            try:
                close_old_connections()
                if self._is_on_duty():
                    self.scan()
                    self._update_line()
                    self._make_round()
                client().set(looking_key(socket.gethostname()), 1, ex=2 * DUTY_SECONDS)
            except (redis.RedisError, DatabaseError, OperationalError) as error:
                logger.warning("The scan failed and will be repeated: %s", error)
                self._be_patient()  # leases may have run out only because nobody could renew them
            except Exception:
                logger.exception("The scan broke off and will be repeated")
        self._leave_duty()
        connection.close()

    def scan(self) -> None:
        """Look once at every open row. Raises `redis.RedisError`, `DatabaseError` or kombu's `OperationalError`."""
        now = time.monotonic()
        self._notice_restart()
        seen = {sighting: self._first_seen.get(sighting, now) for sighting in _open_jobs()}
        self._first_seen = seen
        self._passed_over &= seen.keys()
        waiting = [s for s, since in seen.items() if s.status == "queued" and now - since > LOST_AFTER_SECONDS]
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._publish_lost([s for s in waiting if not s.held_for])
            for sighting in {(s.kind, s.held_for): s for s in waiting if s.held_for}.values():
                with self._passing_over(sighting):
                    sighting.kind.release_held(sighting.held_for)
        if now >= self._patient_until:
            self._recover_dead([s for s in seen if s.status == "running"])

    def _update_line(self) -> None:
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_SECONDS
            self._line.update()

    def _make_round(self) -> None:
        if time.monotonic() >= self._next_round:
            self._next_round = time.monotonic() + ROUND_SECONDS
            on_duty.send_robust(sender=type(self))

    def _is_on_duty(self) -> bool:
        if client().set("reaper", self._token, nx=True, ex=DUTY_SECONDS):
            return True
        if client().get("reaper") == self._token.encode():
            client().expire("reaper", DUTY_SECONDS)
            return True
        # Another one sees more, and tells people more, than this one knows of.
        self._in_no_hand, self._line = {}, Line()
        return False

    def _leave_duty(self) -> None:
        """So that who takes over at a deployment need not wait for this one's time to run out."""
        with suppress(redis.RedisError):
            if client().get("reaper") == self._token.encode():
                client().delete("reaper")

    def _notice_restart(self) -> None:
        run_id, uptime_seconds = server_run()
        if run_id != self._run_id:
            is_another, self._run_id = bool(self._run_id), run_id
            if is_another or uptime_seconds < 2 * settings.LEASE_SECONDS:
                self._be_patient()

    def _be_patient(self) -> None:
        """Take nobody for dead until all that live have had the time to renew their leases."""
        self._patient_until = time.monotonic() + 2 * settings.LEASE_SECONDS

    def _publish_lost(self, waiting: list[_Sighting]) -> None:
        jobs: dict[broker.TaskKey, tuple[_Sighting, Job]] = {}
        queued: dict[str, set[broker.TaskKey]] = {}
        for sighting, job in self._loaded(_in_no_hand(waiting)):  # one with a lease is about to be claimed
            with self._passing_over(sighting):
                key = (str(job.pk), job.attempt)
                queued.setdefault(job.queue, set()).add(key)
                jobs[key] = sighting, job
        for sighting, job in (jobs[key] for key in broker.lost(queued)):
            with self._passing_over(sighting), about(reply_id=job.reply_id):
                logger.warning("%s %s was in no queue; published again", type(job).__name__, job.pk)
                job.publish()
                del self._first_seen[sighting]

    def _recover_dead(self, running: list[_Sighting]) -> None:
        self._in_no_hand = {s: self._in_no_hand.get(s, 0) + 1 for s in _in_no_hand(running)}
        for sighting in [s for s, scans in self._in_no_hand.items() if scans >= SCANS_IN_NO_HAND]:
            with self._passing_over(sighting):
                if job := sighting.load():
                    with about(reply_id=job.reply_id):
                        recover(job)

    def _loaded(self, waiting: list[_Sighting]) -> Iterator[tuple[_Sighting, Job]]:
        """Those that still wait, with their rows: by one query for each kind, as hundreds may wait."""
        for kind in {sighting.kind for sighting in waiting}:
            theirs = [sighting for sighting in waiting if sighting.kind is kind]
            try:
                rows = {(job.pk, job.attempt): job for job in kind.open_with_queues().filter(status=Job.Status.QUEUED)}
                jobs = [rows.get((sighting.pk, sighting.attempt)) for sighting in theirs]
            except Exception:  # one of them cannot be loaded; or none, which ends the scan
                jobs = [self._load(sighting) for sighting in theirs]
            yield from ((sighting, job) for sighting, job in zip(theirs, jobs, strict=True) if job)

    def _load(self, sighting: _Sighting) -> Job | None:
        with self._passing_over(sighting):
            return sighting.load()
        return None

    @contextmanager
    def _passing_over(self, sighting: _Sighting) -> Iterator[None]:
        """What is wrong with this row alone is logged, once; what is wrong with everything ends the scan."""
        try:
            yield
        except (redis.RedisError, OperationalError, DatabaseAwayError, InterfaceError):
            raise
        except Exception:
            if sighting not in self._passed_over:
                logger.exception("%s %s is passed over", sighting.kind.__name__, sighting.pk)
            self._passed_over.add(sighting)


def recover(job: Job) -> None:
    """Give a job whose process died its next attempt, or quarantine it when it has used them up."""
    deaths = job.deaths + 1
    if deaths < settings.MAX_ATTEMPTS + (UNWITNESSED_DEATHS if job.runs_alone else 0):
        if job.retry(has_died=True):
            logger.warning("%s %s: attempt %d begins", type(job).__name__, job.pk, job.attempt)
            job.publish()
    else:
        isolation.quarantine(job, job.error_detail or f"Its process died {deaths} times.")


def _open_jobs() -> Iterable[_Sighting]:
    for kind in Job.kinds():
        rows = kind.all_open().values_list("pk", "attempt", "status", "person", "released_at")
        for pk, attempt, status, person_id, released_at in rows:
            is_held = status == Job.Status.QUEUED and released_at is None
            yield _Sighting(kind, pk, attempt, status, person_id if is_held else None)


def _in_no_hand(sightings: list[_Sighting]) -> list[_Sighting]:
    """Those without a lease, or with that of a process that has died."""
    kept = client().mget([lease_key(s.kind, s.pk, s.attempt) for s in sightings]) if sightings else []
    holders = [None if holder is None else holder.decode() for holder in kept]
    # One without a tie does not say who it is, one of an earlier version says "1".
    dead = presence.dead({name for name in holders if name and ":" in name})
    return [s for s, holder in zip(sightings, holders, strict=True) if holder is None or holder in dead]

"""One run of a scenario: people who ask and watch, a fault that happens meanwhile, and what became of the answers."""

from __future__ import annotations

import asyncio
import math
import random
import signal
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections

from faults import hooks
from faults.checking import Verdict, check, still_open
from faults.installation import Hit, Installation, Takeover, executed, takeovers
from faults.tabs import Shown, Tab, tabs
from router.models import Route
from router.revisions import publish
from tests.processes import wait_until
from tests.sessions import session_of
from workers.connections import client
from workers.jobs import Job
from workers.models import Completion, Model, Provider

# What happens while people ask: it gets the installation, its chance and the tabs, and tells what it has hit.
Injection = Callable[[Installation, random.Random, list[Tab]], Awaitable[list[Hit]]]


@dataclass(frozen=True)
class Load:
    """`tabs` people who ask an upstream's model (`bench.upstream`), one question after the other.

    Each asks `each` questions at least, and goes on until the faults are over.
    """

    tabs: int
    each: int = 1
    tokens: int = 40
    gap_ms: int = 50
    first_ms: int = 50
    begin_s: float = 0.0  # within which they begin, one after the other; otherwise all ask, and ask again, at once
    patience_s: float = 60.0  # until a message is accepted, and half as long as until it is answered
    poisoned: int = 0  # how many of the people ask what kills its process, with `die_of_poison`

    @property
    def model(self) -> str:
        return f"ttft{self.first_ms}-itl{self.gap_ms}-n{self.tokens}"


@dataclass
class Run:
    """What one run showed."""

    seed: int
    verdict: Verdict
    hits: list[Hit] = field(default_factory=list)
    takeovers: list[Takeover] = field(default_factory=list)
    executed: int = 0
    seconds: float = 0.0
    answer_seconds: list[float] = field(default_factory=list)  # from asking to the end, without poison
    refusals: int = 0  # of messages, which were sent again
    pages_before: list[Shown] = field(default_factory=list)  # that were reloaded meanwhile

    @property
    def busy_hits(self) -> int:
        return sum(bool(hit.completions) for hit in self.hits)

    def figures(self) -> dict[str, Any]:
        """For the table of results."""
        figures: dict[str, Any] = {
            "answers": self.verdict.replies,
            "executed": self.executed,
            "faults that hit busy workers": self.busy_hits,
            "lost": len(self.verdict.lost),
            "wrong": len(self.verdict.corrupt),
        }
        if self.answer_seconds:
            figures["slowest answer s"] = round(max(self.answer_seconds), 1)
        if self.takeovers:
            since_first, since_last = zip(*self.takeovers, strict=True)
            figures["takeover p50 s"] = round(statistics.median(since_first), 2)
            figures["takeover worst s"] = round(max(since_first), 2)
            figures["after the last hit: p50 s"] = round(statistics.median(since_last), 2)
            figures["after the last hit: worst s"] = round(max(since_last), 2)
        return figures

    def must_be_clean(self) -> None:
        """Fail with what is wrong, or if nothing was put to the test."""
        assert self.executed, "nothing was executed"
        assert self.verdict.is_clean, self.verdict.complain()
        assert still_open() == 0


def sessions(count: int, name: str = "person") -> list[str]:
    """Signed-in people, one each, so that no limit per person plays a part."""
    people = get_user_model().objects
    return [session_of(people.get_or_create(username=f"{name}{number}")[0]) for number in range(count)]


def connect(base_url: str, *identifiers: str) -> None:
    """Make these models of a server the ones that the generate route asks, in this order."""
    provider, _ = Provider.objects.get_or_create(name=base_url, kind="openai", base_url=base_url)
    route = Route.objects.get(name="generate")
    route.route_models.all().delete()
    for position, identifier in enumerate(identifiers):
        model, _ = Model.objects.get_or_create(provider=provider, name=identifier, identifier=identifier)
        route.route_models.create(model=model, position=position)
    publish(None, "the fault suite")


def perform(made: Installation, upstream: str, load: Load, inject: Injection, seed: int, **checks: Any) -> Run:
    """People ask while `inject` does its work; then the checker looks at every answer."""
    connect(upstream, load.model)
    keys = sessions(load.tabs)
    began, executed_before = time.monotonic(), executed()
    opened, hits, answer_seconds = asyncio.run(_ask_and_inject(made, keys, load, inject, random.Random(seed), seed))
    seconds = time.monotonic() - began
    connections.close_all()  # the database may have been away
    shown = {reply: seen for tab in opened for reply, seen in tab.replies.items()}
    wait_until(lambda: still_open() == 0, 180, "the end of every job")  # those that a form has posted take turns
    return Run(
        seed=seed,
        verdict=check(shown, load.tokens, **checks),
        hits=hits,
        takeovers=takeovers(hits, _by_completion(shown)),
        executed=executed() - executed_before,
        seconds=seconds,
        answer_seconds=answer_seconds,
        refusals=sum(len(tab.errors) for tab in opened),
        pages_before=[page for tab in opened for page in tab.shown_before],
    )


async def _ask_and_inject(
    made: Installation, keys: list[str], load: Load, inject: Injection, chance: random.Random, seed: int
) -> tuple[list[Tab], list[Hit], list[float]]:
    async with asyncio.timeout(900), tabs(keys, made.ports, seed) as opened:
        async with asyncio.TaskGroup() as group:
            poison = [hooks.POISON if number < load.poisoned else "" for number in range(len(opened))]
            over = asyncio.Event()
            asking = [
                group.create_task(_ask(tab, load, word, over, load.begin_s * number / len(opened)))
                for number, (tab, word) in enumerate(zip(opened, poison, strict=True))
            ]
            hits = await inject(made, chance, opened)
            over.set()
        answer_seconds = [seconds for task in asking for seconds in task.result()]
        return opened, hits, answer_seconds


async def _ask(tab: Tab, load: Load, poison: str, over: asyncio.Event, begin_s: float) -> list[float]:
    """Ask as often as the load says, and until the faults are over; how long each answer took."""
    times: list[float] = []
    await asyncio.sleep(begin_s)
    while len(times) < load.each or not (poison or over.is_set()):
        began = time.monotonic()
        reply = await tab.ask(f"Go on {poison}", seconds=load.patience_s)
        await tab.until_finished(reply, seconds=2 * load.patience_s)
        times.append(time.monotonic() - began)
    return [] if poison else times


def p95(seconds: list[float]) -> float:
    return sorted(seconds)[max(0, math.ceil(len(seconds) * 0.95) - 1)]


def _by_completion(shown: dict[str, Shown]) -> dict[str, list[Any]]:
    rows = Completion.objects.filter(reply_id__in=list(shown)).values_list("pk", "reply_id")
    return {str(pk): shown[str(reply_id)].seen for pk, reply_id in rows}


async def until_busy(made: Installation, seconds: float = 60) -> None:
    """Until a worker runs an answer."""
    async with asyncio.timeout(seconds):
        while not any(part.running() for part in made.remotes):
            await asyncio.sleep(0.02)


async def no_fault(made: Installation, chance: random.Random, _: list[Tab]) -> list[Hit]:
    return []


def one_after_another(*injections: Injection) -> Injection:
    async def inject(made: Installation, chance: random.Random, opened: list[Tab]) -> list[Hit]:
        return [hit for injection in injections for hit in await injection(made, chance, opened)]

    return inject


def kill_workers(count: int, every: float) -> Injection:
    """`kill -9` of a worker's process group, `count` times, each while it runs answers."""

    async def inject(made: Installation, chance: random.Random, _: list[Tab]) -> list[Hit]:
        hits: list[Hit] = []
        await until_busy(made)
        while len(hits) < count:
            await asyncio.sleep(every * (0.5 + chance.random()))
            if hit := made.kill_busy_worker(chance):
                hits.append(hit)
            elif not any(part.running() for part in made.remotes):
                await until_busy(made)
        return hits

    return inject


def kill_reapers(count: int, every: float) -> Injection:
    """Each time a busy worker and, a moment later, a reaper, so that it may not be there to notice."""

    async def inject(made: Installation, chance: random.Random, _: list[Tab]) -> list[Hit]:
        hits: list[Hit] = []
        while len(hits) < count:
            await until_busy(made)
            if hit := made.kill_busy_worker(chance):
                hits.append(hit)
                await asyncio.sleep(chance.random())
                chance.choice(made.reapers).process.send(signal.SIGKILL)
                await asyncio.sleep(every)
        return hits

    return inject


def freeze_workers(count: int) -> Injection:
    """SIGSTOP until another worker has taken over, then SIGCONT: the process wakes up and goes on writing."""

    async def inject(made: Installation, chance: random.Random, _: list[Tab]) -> list[Hit]:
        hits: list[Hit] = []
        while len(hits) < count:
            await until_busy(made)
            if found := made.busy_worker(chance):
                part, running = found
                hits.append(Hit(time.monotonic(), running))
                part.process.send(signal.SIGSTOP)
                await asyncio.to_thread(_until_taken_over, running)
                await asyncio.sleep(chance.random())
                part.process.send(signal.SIGCONT)
                await asyncio.sleep(chance.random())
        return hits

    return inject


def _until_taken_over(completions: set[str]) -> None:
    """Until another attempt of one of them has begun, or all of them have ended meanwhile."""
    rows = Completion.objects.filter(pk__in=completions)
    again = rows.filter(attempt__gt=1, status=Job.Status.RUNNING)
    try:
        wait_until(lambda: again.exists() or not rows.filter(status__in=Job.OPEN).exists(), 60, "a takeover")
    finally:
        connections.close_all()


def budget(fault: str, deaths: int) -> Injection:
    """Let a hook (`faults.hooks`) end `deaths` processes, and replace them."""

    async def inject(made: Installation, chance: random.Random, _: list[Tab]) -> list[Hit]:
        client().set(hooks.budget_key(fault), deaths)
        async with asyncio.timeout(60 + 10 * deaths):
            while int(client().get(hooks.budget_key(fault))) > 0:
                await asyncio.sleep(0.05)
        return [Hit(time.monotonic(), {fault})] * deaths

    return inject

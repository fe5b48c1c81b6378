"""Workers that are killed, frozen, or die at the worst moment: rows 1 to 6."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.conf import settings

from faults.installation import installation
from faults.recording import Record, Scaled
from faults.runs import Load, budget, freeze_workers, kill_workers, no_fault, p95, perform
from workers.models import Completion

pytestmark = pytest.mark.database


def test_row_1_workers_are_killed(seed: int, upstream: str, record: Record, scaled: Scaled) -> None:
    # Answers of 18 s, which begin one after the other: of shorter ones, or at the same moment, so many begin that they
    # alone fill two processors, and a takeover waits for one. Here the kills have what they cost, a new worker each.
    load = Load(tabs=scaled(100, 10), each=5, tokens=60, gap_ms=300, begin_s=18)
    with installation(remotes=8, concurrency=16) as made:
        # One may be hit between storing an answer and telling its end, as in row 6.
        injection = kill_workers(scaled(20, 3), every=4.5)
        run = perform(made, upstream, load, injection, seed, ends_are_told=False)
    record(1, "worker kills", run.figures())
    run.must_be_clean()
    assert run.busy_hits >= scaled(20, 3)
    assert run.figures()["takeover worst s"] < 5
    assert run.figures()["takeover p50 s"] < 3


def test_row_2_workers_are_frozen_and_thaw(seed: int, upstream: str, record: Record, scaled: Scaled) -> None:
    load = Load(tabs=scaled(50, 10), tokens=60, gap_ms=150)
    with installation(remotes=2, concurrency=64) as made:
        run = perform(made, upstream, load, freeze_workers(scaled(20, 2)), seed)
    record(2, "frozen workers", run.figures())
    run.must_be_clean()
    assert max(run.verdict.attempts) > 1, "nobody took over"


def test_without_the_fence_the_checker_finds_corruption(seed: int, upstream: str, record: Record) -> None:
    load = Load(tabs=10, tokens=60, gap_ms=150)
    with installation(remotes=2, concurrency=64, faults={"remote": "unfenced"}) as made:
        run = perform(made, upstream, load, freeze_workers(1), seed)
    record(2, "frozen workers without the fence (must be wrong)", run.figures())
    assert run.executed
    assert run.verdict.corrupt, "the checker is blind"


def test_row_4_a_worker_dies_between_queue_and_claim(seed: int, upstream: str, record: Record, scaled: Scaled) -> None:
    load = Load(tabs=scaled(50, 5), tokens=10)
    with installation(remotes=2, faults={"remote": "die_before_claim"}) as made:
        run = perform(made, upstream, load, budget("die_before_claim", scaled(50, 3)), seed)
    record(4, "killed before the claim", run.figures())
    run.must_be_clean()


@pytest.mark.parametrize("tier", ["web", "route"])
def test_row_5_a_process_dies_between_commit_and_publishing(
    tier: str, seed: int, upstream: str, record: Record, scaled: Scaled
) -> None:
    load = Load(tabs=scaled(50, 5), tokens=10, patience_s=180)  # some messages wait for most of the deaths
    with installation(webs=2, routes=2, faults={tier: "die_before_publishing"}) as made:
        run = perform(made, upstream, load, budget("die_before_publishing", scaled(50, 3)), seed)
    record(5, f"killed before publishing ({tier})", run.figures())
    run.must_be_clean()


def test_row_6_a_worker_dies_between_storing_and_telling(
    seed: int, upstream: str, record: Record, scaled: Scaled
) -> None:
    load = Load(tabs=scaled(50, 5), tokens=10)
    with installation(remotes=2, faults={"remote": "die_before_telling"}) as made:
        injection = budget("die_before_telling", scaled(50, 3))
        run = perform(made, upstream, load, injection, seed, ends_are_told=False)
    record(6, "killed before telling", run.figures())
    run.must_be_clean()


def test_row_27_poison_is_quarantined_and_its_neighbours_are_not(
    seed: int, upstream: str, record: Record, scaled: Scaled
) -> None:
    load = Load(tabs=scaled(100, 20), tokens=40, poisoned=scaled(5, 1))
    with installation(remotes=4, concurrency=32, faults={"remote": "die_of_poison"}) as made:
        usual = perform(made, upstream, replace(load, poisoned=0), no_fault, seed)
        run = perform(made, upstream, load, no_fault, seed)
    slower = p95(run.answer_seconds) / p95(usual.answer_seconds)
    record(27, "poison", {**run.figures(), **run.verdict.statuses, "p95 of the others, times": round(slower, 2)})
    run.must_be_clean()
    assert run.verdict.statuses == {"done": load.tabs - load.poisoned, "quarantined": load.poisoned}
    attempts = Completion.objects.filter(status="quarantined").values_list("attempt", flat=True)
    assert set(attempts) == {settings.MAX_ATTEMPTS}

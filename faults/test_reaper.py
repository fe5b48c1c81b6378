"""The reaper itself dies, or there are two of them: row 7."""

from __future__ import annotations

from collections import Counter

import pytest

from faults.installation import installation
from faults.recording import Record, Scaled
from faults.runs import Load, kill_reapers, perform
from workers.models import Completion

pytestmark = pytest.mark.database


@pytest.mark.parametrize("reapers", [1, 2])
def test_row_7_the_reaper_is_killed_when_it_is_needed(
    reapers: int, seed: int, upstream: str, record: Record, scaled: Scaled
) -> None:
    load = Load(tabs=scaled(100, 10), each=3, tokens=80, gap_ms=100)
    # Two workers can carry all: who waits for a slot says nothing of the reaper.
    with installation(remotes=3, reapers=reapers, concurrency=50) as made:
        run = perform(made, upstream, load, kill_reapers(scaled(5, 2), every=10), seed, ends_are_told=False)
    record(7, f"reaper killed ({reapers} of them)", run.figures())
    run.must_be_clean()
    hits = Counter(completion for hit in run.hits for completion in hit.completions)
    for pk, attempt in Completion.objects.values_list("pk", "attempt"):
        assert attempt <= 1 + hits[str(pk)], "an attempt without a death"
    assert run.takeovers
    assert max(takeover.since_last for takeover in run.takeovers) < 8

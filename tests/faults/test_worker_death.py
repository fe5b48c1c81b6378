"""Workers that die or freeze in mid-answer: others finish it, and nothing shows twice. `make faults` does more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from faults.installation import installation
from faults.runs import Load, freeze_workers, kill_workers, perform
from tests import processes
from tests.environment import free_port

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

LOAD = Load(tabs=10, tokens=60, gap_ms=100)
FROZEN_SECONDS = 5.0


@pytest.fixture(scope="module")
def upstream(django_db_setup: None) -> Iterator[str]:
    port = free_port()
    process = processes.Process("-m", "bench.upstream", "--port", str(port))
    yield f"http://127.0.0.1:{port}/v1"
    process.stop()


def test_killed_and_frozen_workers_lose_nothing_and_write_nothing_twice(
    transactional_db: None, defaults: None, upstream: str
) -> None:
    with installation() as made:
        killed = perform(made, upstream, LOAD, kill_workers(2, every=1), seed=1)
        frozen = perform(made, upstream, LOAD, freeze_workers(1, FROZEN_SECONDS), seed=1)
    for run in (killed, frozen):
        run.must_be_clean()
        assert run.busy_hits
        assert max(run.verdict.attempts) > 1


def test_without_the_fence_a_thawed_worker_would_and_the_checker_sees_it(
    transactional_db: None, defaults: None, upstream: str
) -> None:
    with installation(faults={"remote": "unfenced"}) as made:
        run = perform(made, upstream, LOAD, freeze_workers(1, FROZEN_SECONDS), seed=1)
    assert run.verdict.corrupt

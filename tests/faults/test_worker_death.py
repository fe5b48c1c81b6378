"""Workers that die or freeze in mid-answer: others finish it, and nothing shows twice. `make faults` does more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from faults.installation import installation
from faults.runs import Load, freeze_workers, kill_workers, no_fault, one_after_another, perform
from tests import processes
from tests.environment import free_port
from workers.models import Completion

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes, pytest.mark.xdist_group("faults")]


@pytest.fixture(scope="module")
def upstream(django_db_setup: None) -> Iterator[str]:
    port = free_port()
    process = processes.Process("-m", "bench.upstream", "--port", str(port))
    yield f"http://127.0.0.1:{port}/v1"
    process.stop()


def test_workers_die_freeze_and_are_poisoned_and_every_answer_comes(
    transactional_db: None, defaults: None, upstream: str
) -> None:
    break_them = one_after_another(kill_workers(1, every=1), freeze_workers(1))
    with installation(faults={"remote": "die_of_poison"}) as made:
        broken = perform(made, upstream, Load(tabs=10, tokens=80, gap_ms=100), break_them, 1, ends_are_told=False)
        poisoned = perform(made, upstream, Load(tabs=8, tokens=20, poisoned=1), no_fault, seed=1)
    for run in (broken, poisoned):
        run.must_be_clean()
        assert max(run.verdict.attempts) > 1
    assert broken.busy_hits == 2
    assert poisoned.verdict.statuses == {"done": 7, "quarantined": 1}
    assert Completion.objects.get(status="quarantined").attempt == settings.MAX_ATTEMPTS


def test_without_the_fence_a_thawed_worker_spoils_answers_and_the_checker_sees_it(
    transactional_db: None, defaults: None, upstream: str
) -> None:
    with installation(faults={"remote": "unfenced"}) as made:
        run = perform(made, upstream, Load(tabs=6, tokens=60, gap_ms=100), freeze_workers(1), seed=1)
    assert run.verdict.corrupt

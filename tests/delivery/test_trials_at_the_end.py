"""A worker that is told to stop while it does what an admin has asked for."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from tests import processes
from tests.backends.fake_provider import FakeProvider
from tests.conftest import Connect
from tests.processes import wait_until
from workers import trials
from workers.trials import Trial

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def state_of(trial: Trial) -> str:
    found = Trial.find(trial.ticket)
    return found.state if found else ""


def test_a_test_of_a_model_is_handed_to_another_worker(admin: Any, connect: Connect, provider: FakeProvider) -> None:
    (gated,) = connect("gate-tokens2")
    # Time enough for it to hear no more of its queue: a request for a message is open for a second.
    with processes.worker(gated.queue, SHUTDOWN_GRACE_SECONDS="2.5") as leaving:
        trial = trials.start_check(gated.provider, gated, admin)
        wait_until(lambda: state_of(trial) == "running", what="the test to begin")
        leaving.send(signal.SIGTERM)
        assert leaving.wait(20) == 0
        assert state_of(trial) == "waiting"
    provider.release()
    with processes.worker(gated.queue):
        wait_until(lambda: state_of(trial) == "done", what="another worker to do it")


def test_of_what_must_not_be_done_twice_the_admin_is_told(admin: Any) -> None:
    goes_on = threading.Event()
    trial = Trial.start(trials.check_model, "a-queue-of-nobody", admin)

    def work(_: Trial) -> dict[str, Any]:
        assert goes_on.wait(20)
        return {"text": "Done in the last moment."}

    worker = threading.Thread(target=trials.attend, args=(trial.ticket, work, "It broke off"))
    worker.start()
    wait_until(lambda: state_of(trial) == "running", what="the work to begin")
    trials.interrupt_all()
    found = Trial.find(trial.ticket)
    assert found
    assert (found.state, found.outcome) == ("failed", {"text": trials.STOPPED})
    goes_on.set()
    worker.join()
    assert state_of(trial) == "done", "what is done is said to be done"

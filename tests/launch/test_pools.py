"""Workers are threads that serve queues of Switchyard: one that would fork, or that nothing would come to, ends."""

import pytest

from tests.processes import Process

pytestmark = pytest.mark.processes

WORKER = ("-m", "celery", "-A", "chatsite", "worker")


def test_a_worker_that_would_be_of_no_use_is_refused_with_a_sentence(db: None) -> None:
    forks = Process(*WORKER, "-Q", "embedded", "--pool", "prefork")
    strange = Process(*WORKER, "-Q", "remote-far,remotte", "--pool", "threads")
    try:
        assert forks.wait(60) == 1
        assert "start them with --pool threads" in forks.log.read_text()
        assert strange.wait(60) == 1
        assert "Nothing is ever sent to the queue remotte. There are background, embedded," in strange.log.read_text()
    finally:
        strange.stop()

"""Workers are threads: a worker that would fork after loading models is not started."""

import pytest

from tests.processes import Process

pytestmark = pytest.mark.processes


def test_a_worker_that_would_fork_is_refused_with_a_sentence(db: None) -> None:
    process = Process("-m", "celery", "-A", "chatsite", "worker", "-Q", "embedded", "--pool", "prefork")
    assert process.wait(60) == 1
    assert "start them with --pool threads" in process.log.read_text()

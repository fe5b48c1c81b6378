"""Worker processes say of themselves what they are, and are gone when they are gone."""

from __future__ import annotations

import signal

import orjson
import pytest

from tests import processes
from tests.processes import pretended_worker, said_by
from workers import presence
from workers.code import own_code
from workers.connections import client
from workers.presence import OwnPresence, Process


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_a_worker_says_what_it_is_until_it_is_gone(transactional_db: None, defaults: None) -> None:
    with processes.worker("embedded", "background", concurrency=3) as worker:
        said = said_by(worker.pid)
        assert said is not None
        assert (said.queues, said.slots, said.running) == (["background", "embedded"], 3, 0)
        assert said.models == {"MiniLM": "ready"}
        assert said.memory_bytes > 100_000_000  # it holds a model
        assert said.code == own_code().digest
        assert not said.is_draining
        assert presence.is_served("embedded")
        worker.send(signal.SIGTERM)
        assert worker.wait(20) == 0
        assert said_by(worker.pid) is None  # at once: it took its leave


def test_a_worker_that_says_nothing_any_more_is_forgotten() -> None:
    with pretended_worker("gone:1", queues=["route"]):
        assert "gone:1" in [process.name for process in presence.processes()]
    assert "gone:1" not in [process.name for process in presence.processes()]
    assert not client().sismember(presence.INDEX, "gone:1")


def test_a_worker_that_drains_serves_nothing() -> None:
    with pretended_worker(queues=["a-queue"], is_draining=True, running=1) as process:
        assert not presence.is_served("a-queue")
        assert not process.is_drained
    with pretended_worker(queues=["a-queue"]):
        assert presence.is_served("a-queue")


def test_other_versions_of_the_code_are_understood() -> None:
    value = orjson.dumps({"name": "new:1", "queues": ["route"], "something_new": {"a": 1}})
    assert presence.parse(value) == Process("new:1", queues=["route"])


def test_a_model_is_loading_then_ready_then_gone() -> None:
    own = OwnPresence()

    def said() -> dict[str, str]:
        with client().pipeline() as pipeline:
            own.write(pipeline, 1000)
            pipeline.execute()
        return presence.parse(client().get(presence.key(own.name))).models

    own.appear(slots=1)
    with own.loading("small"):
        assert said() == {"small": "loading"}
    assert said() == {"small": "ready"}
    with pytest.raises(MemoryError), own.loading("large"):
        raise MemoryError
    assert said() == {"small": "ready"}
    own.unloaded("small")
    assert said() == {}
    own.leave()
    assert client().get(presence.key(own.name)) is None

"""What a worker has in memory: loaded before it begins, or when it is asked for, which whoever waits is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import processes
from tests.answers import queued
from tests.tiny_models import build_causal_model
from workers.connections import client, stream_key
from workers.events import Event, Kind
from workers.models import Model, Provider

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


@pytest.fixture
def provider(transactional_db: None) -> Provider:
    return Provider.objects.create(name="Here", kind="transformers")


def model(provider: Provider, folder: Path, **fields: object) -> Model:
    return Model.objects.create(
        provider=provider,
        name=folder.name,
        identifier=str(build_causal_model(folder)),
        max_output_tokens=5,
        worker_group="tiny",
        **fields,
    )


def answered(model: Model) -> list[str]:
    """The kinds of events on the way to an answer of `model`."""
    completion = queued(model)

    def events() -> list[Event]:
        return [Event.from_entry(*entry) for entry in client().xrange(stream_key(completion.reply_id))]

    processes.wait_until(lambda: any(event.kind in Kind.FINAL for event in events()), what="the answer")
    return [event.kind for event in events() if event.kind != Kind.DELTA]


def in_memory(worker: processes.Process) -> dict[str, str] | None:
    """The models of the worker, if it has lately said anything."""
    said = processes.said_by(worker.pid)
    return said.models if said else None


def test_a_model_is_loaded_when_it_is_asked_for_unless_it_is_kept_ready(provider: Provider, tmp_path: Path) -> None:
    warm = model(provider, tmp_path / "warm", is_warm=True)
    cold = model(provider, tmp_path / "cold")
    Model.objects.create(provider=provider, name="gone", identifier="/no/such", worker_group="tiny", is_warm=True)
    with processes.worker("local-tiny", MODEL_IDLE_SECONDS="1") as worker:
        processes.wait_until(lambda: in_memory(worker) == {warm.identifier: "ready"}, what="the one that is kept ready")
        assert answered(warm) == [Kind.STARTED, Kind.DONE]
        assert answered(cold) == [Kind.STARTED, Kind.LOADING, Kind.LOADED, Kind.DONE]
        processes.wait_until(lambda: in_memory(worker) == {warm.identifier: "ready"}, what="the idle one to be let go")

"""Models in memory: loaded once however many ask, kept while they are used, let go when they are not."""

from __future__ import annotations

import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.processes import wait_until
from workers import presence
from workers.backends import causal_models
from workers.backends.base import Cancellation
from workers.backends.loaded import LoadedModels
from workers.errors import UnknownModelError


class Model:
    """Stands for weights."""

    def __init__(self, name: str) -> None:
        self.name = name


class Loader:
    """Notes what it loads. The models of `gates` wait until their gate is opened."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.gates: dict[str, threading.Event] = {}

    def __call__(self, identifier: str, revision: str) -> Model:
        if gate := self.gates.get(identifier):
            assert gate.wait(30)
        if identifier == "broken":
            raise UnknownModelError(identifier)
        self.loaded.append(identifier + revision)
        return Model(identifier)


@pytest.fixture
def loader() -> Loader:
    return Loader()


@pytest.fixture(autouse=True)
def _own_presence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests have in memory is nothing to these."""
    monkeypatch.setattr(presence, "own", presence.OwnPresence())


def touch(models: LoadedModels[Any], identifier: str, revision: str = "", **options: Any) -> Any:
    """Use a model for a moment; gives a weak reference to it."""
    with models.use(identifier, revision, Cancellation(), **options) as model:
        return weakref.ref(model)


def in_memory() -> dict[str, str]:
    """What this process says that it has loaded."""
    return presence.own._process.models


def test_a_model_is_loaded_once_for_all_that_ask_at_once(loader: Loader) -> None:
    models = LoadedModels(loader)
    loader.gates["a"] = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(touch, models, "a", "1") for _ in range(8)]
        wait_until(lambda: in_memory() == {"a@1": "loading"})
        assert not models.is_ready("a", "1")
        loader.gates["a"].set()
        assert len({id(future.result()()) for future in found}) == 1
    assert loader.loaded == ["a1"]
    assert models.is_ready("a", "1")
    assert in_memory() == {"a@1": "ready"}


def test_another_revision_is_another_model(loader: Loader) -> None:
    models = LoadedModels(loader)
    for revision in ("1", "2", "1"):
        touch(models, "a", revision)
    assert loader.loaded == ["a1", "a2"]


def test_a_failure_to_load_is_not_kept(loader: Loader) -> None:
    models = LoadedModels(loader)
    for _ in range(2):
        with pytest.raises(UnknownModelError):
            touch(models, "broken")
    assert in_memory() == {}


def test_who_cancels_does_not_wait_for_the_loading(loader: Loader) -> None:
    models = LoadedModels(loader)
    loader.gates["a"] = threading.Event()
    cancellation = Cancellation()
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(touch, models, "a")
        cancellation.set()
        with models.use("a", "", cancellation) as model:
            assert model is None
        loader.gates["a"].set()
        assert other.result()
    assert loader.loaded == ["a"]


def test_a_model_that_nobody_uses_is_let_go_after_its_time(loader: Loader, settings: Any) -> None:
    settings.MODEL_IDLE_SECONDS = 0.05
    models = LoadedModels(loader)
    model = touch(models, "a")
    wait_until(lambda: model() is None and in_memory() == {})
    touch(models, "a")
    assert loader.loaded == ["a", "a"]


def test_a_model_in_use_stays(loader: Loader, settings: Any) -> None:
    settings.MODEL_IDLE_SECONDS = 0.05
    models = LoadedModels(loader)
    with models.use("a", "", Cancellation()):
        idle = touch(models, "b")
        wait_until(lambda: idle() is None)
        assert models.is_ready("a", "")


def test_a_model_that_is_kept_ready_stays_until_it_is_not_any_more(loader: Loader, settings: Any) -> None:
    settings.MODEL_IDLE_SECONDS = 0.05
    models = LoadedModels(loader)
    warm = touch(models, "warm", is_kept=True)
    idle = touch(models, "a")
    wait_until(lambda: idle() is None)
    assert warm()
    touch(models, "warm")
    wait_until(lambda: warm() is None)


def test_the_model_that_was_not_used_for_longest_makes_room(loader: Loader) -> None:
    models = LoadedModels(loader, kept=2)
    touch(models, "warm", is_kept=True)
    a, b = touch(models, "a"), touch(models, "b")
    touch(models, "a")
    touch(models, "c")
    wait_until(lambda: b() is None)
    assert a()
    assert in_memory() == {"warm": "ready", "a": "ready", "c": "ready"}


def test_the_memory_of_a_real_model_is_given_back(tiny_model: Path, settings: Any) -> None:
    settings.MODEL_IDLE_SECONDS = 0.05
    models = LoadedModels(causal_models.load)
    with models.use(str(tiny_model), "", Cancellation()) as loaded:
        assert loaded is not None
        weights = [weakref.ref(parameter) for parameter in loaded.model.parameters()]
        del loaded
    wait_until(lambda: not any(reference() is not None for reference in weights))

"""What every row of the suite has: an empty database and Redis, an upstream, and a place for its figures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from faults.reporting import Results
from tests.environment import free_port
from tests.processes import Process
from workers.connections import client


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--scale", type=float, default=0.1, help="share of the streams and faults that a row names")
    parser.addoption("--seeds", type=int, default=3, help="how often each row is run")
    parser.addoption("--results", default="var/faults", help="folder that gets the table as JSON and as Markdown")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(1, metafunc.config.getoption("--seeds") + 1))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker("faults")
    if os.environ.get("FAULTS_DATABASE") == "postgresql":  # what has nothing to do with the database is not repeated
        chosen = [item for item in items if item.get_closest_marker("database")]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen


@pytest.fixture(scope="session", autouse=True)
def _database(django_db_blocker: Any) -> Iterator[None]:
    """The database of the settings themselves: processes and this one see the same rows."""
    with django_db_blocker.unblock():
        call_command("migrate", verbosity=0)
        yield


@pytest.fixture(autouse=True)
def _fresh(_database: None) -> None:
    """Each run begins with an empty Redis and the default routes."""
    client().flushall()
    call_command("flush", verbosity=0, interactive=False)
    call_command("load_defaults", verbosity=0)


@pytest.fixture(scope="session")
def upstream() -> Iterator[str]:
    """The address of a fast server that speaks the OpenAI protocol; the model's name says what it does."""
    port = free_port()
    process = Process("-m", "bench.upstream", "--port", str(port))
    yield f"http://127.0.0.1:{port}/v1"
    process.stop()


@pytest.fixture(scope="session")
def _results(request: pytest.FixtureRequest) -> Iterator[Results]:
    results = Results()
    yield results
    results.write(Path(request.config.getoption("--results")), connection.vendor)


@pytest.fixture
def record(_results: Results, seed: int) -> Callable[..., None]:
    """`record(row, scenario, **figures)`: one line of one seed in the table of results."""

    def add(row: int, scenario: str, figures: dict[str, Any]) -> None:
        _results.add(row, scenario, seed, figures)

    return add


@pytest.fixture
def scaled(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """`scaled(number, least)`: a row's number at the scale of this run."""
    scale: float = request.config.getoption("--scale")

    def at_scale(number: int, least: int = 1) -> int:
        return max(least, round(number * scale))

    return at_scale

"""What every test can ask for: three people, the default routes, real processes, a site to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client, override_settings

from router.models import Route
from router.revisions import publish
from tests import processes
from tests.backends.fake_provider import FakeProvider
from tests.pages import rows
from tests.sessions import session_of
from workers.connections import client
from workers.models import Model, Provider

Connect = Callable[..., list[Model]]  # the fixture `connect`


@pytest.fixture(autouse=True)
def _fresh_redis(_nobody_else: None) -> None:
    """Each test begins with an empty Redis, but for what living processes say of themselves."""
    for key in client().scan_iter():
        if not key.startswith((b"process", b"_kombu")):
            client().delete(key)


@pytest.fixture
def no_redis() -> Iterator[None]:
    """Nobody answers where Redis is expected."""
    client.cache_clear()
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        yield
    client.cache_clear()


@pytest.fixture
def alice(db: None) -> Any:
    return get_user_model().objects.create_user("alice", "alice@example.org", "the rain in Spain")


@pytest.fixture
def bob(db: None) -> Any:
    return get_user_model().objects.create_user("bob", "bob@example.org", "the rain in Spain")


@pytest.fixture
def page(client: Client, alice: Any) -> Client:
    """A browser without scripts in which Alice is signed in."""
    rows.revision()
    client.force_login(alice)
    return client


@pytest.fixture
def admin(db: None) -> Any:
    return get_user_model().objects.create_superuser("ada", "ada@example.org", "the rain in Spain")


@pytest.fixture
def defaults(db: None) -> None:
    """Providers, models, routes and the live revision, as a fresh installation has them."""
    call_command("load_defaults", verbosity=0)


class Staff:
    """A worker process of all queues and a reaper: started when a test asks, kept for the tests that follow."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._worker: processes.Process | None = None

    def worker(self) -> processes.Process:
        if not self._worker:
            self._running.enter_context(processes.reaper())
            queues = ("route", "embedded", "local", "remote", "files", "background")
            self._worker = self._running.enter_context(processes.worker(*queues))
        assert self._worker.is_running(), self._worker.log.read_text()
        return self._worker

    def leave(self) -> None:
        self._worker = None
        self._running.close()


staff = Staff()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests that share the staff come first, so that it is started once; then those with processes of their own.

    So what takes longest begins first, and the processes of the suite end together.
    """
    items.sort(key=lambda item: (not _asks_for_staff(item), item.get_closest_marker("processes") is None))


def _asks_for_staff(item: pytest.Item) -> bool:
    return "workers" in getattr(item, "fixturenames", ())


@pytest.fixture(autouse=True)
def _nobody_else(request: pytest.FixtureRequest) -> None:
    """Where a test does not ask for the staff there is none: it would take the tasks."""
    if "workers" not in request.fixturenames:
        staff.leave()


@pytest.fixture(scope="session")
def _staff(django_db_setup: None, django_db_blocker: Any) -> Iterator[Staff]:
    with django_db_blocker.unblock():
        yield staff
        staff.leave()


@pytest.fixture
def workers(transactional_db: None, defaults: None, _staff: Staff) -> processes.Process:
    """A worker process of all queues and a reaper, over the test's committed rows."""
    return _staff.worker()


@dataclass
class Site:
    """The product in a browser's reach."""

    url: str

    def sign_in(self, page: Any, user: Any) -> None:
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session_of(user), "url": self.url}
        page.context.add_cookies([cookie])


@pytest.fixture(scope="session")
def _web(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    with django_db_blocker.unblock(), processes.web(settings.PORT):
        yield f"http://127.0.0.1:{settings.PORT}"


@pytest.fixture
def site(workers: processes.Process, _web: str) -> Site:
    """The whole product: web server, workers, reaper, Redis."""
    return Site(_web)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A server that speaks the real OpenAI protocol; the model's name says what it does."""
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def connect(defaults: None, provider: FakeProvider) -> Connect:
    """Make models of the fake provider the ones that the generate route asks, in this order."""

    def connect_models(*identifiers: str) -> list[Model]:
        row, _ = Provider.objects.get_or_create(name="Fake", kind="openai", base_url=provider.base_url)
        route = Route.objects.get(name="generate")
        route.route_models.all().delete()
        models = []
        for position, identifier in enumerate(identifiers):
            model, _ = Model.objects.get_or_create(provider=row, name=identifier, identifier=identifier)
            route.route_models.create(model=model, position=position)
            models.append(model)
        publish(None, "the fake provider")
        return models

    return connect_models

"""Testing a provider and trying a message, done by a real worker."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.test import override_settings
from kombu.exceptions import OperationalError

from router.models import Route
from tests.admin.conftest import CANARY, AdminClient, said
from tests.backends.fake_provider import FakeProvider
from tests.processes import Process, wait_until
from workers import queues, trials
from workers.connections import client
from workers.models import Model, Provider
from workers.trials import Trial

pytestmark = pytest.mark.django_db(transaction=True)


def provider_of(fake: FakeProvider, *models: str) -> Provider:
    provider = Provider(name="Acme", base_url=fake.base_url)
    provider.api_key = CANARY
    provider.save()
    for model in models:
        Model.objects.create(provider=provider, name=f"Acme {model}", identifier=model)
    return provider


def start_test(ada: AdminClient, row: Provider | Model) -> str:
    """Press the button on the row's page; the address of the page that says what came of it."""
    kind = row._meta.model_name
    page = ada.submit(f"/admin/workers/{kind}/{row.pk}/change/", button=f"workers_{kind}_save_and_test")
    return str(page.redirect_chain[-1][0])


def finished(ada: AdminClient, path: str) -> str:
    """What the page shows once it has stopped asking."""
    fragment = lambda: ada.get(path, headers={"HX-Request": "true"}).content.decode()  # noqa: E731
    wait_until(lambda: "hx-trigger" not in fragment(), 60, "the worker")
    return fragment()


@pytest.fixture
def fake() -> Any:
    with FakeProvider() as provider:
        yield provider


@pytest.mark.processes
def test_a_provider_that_answers(workers: Process, ada: AdminClient, fake: FakeProvider) -> None:
    text = finished(ada, start_test(ada, provider_of(fake, "tokens3")))
    assert "It works" in text
    assert "t0" in text
    assert f"Bearer {CANARY}" in fake.chats[0].headers.values()


@pytest.mark.processes
def test_a_provider_without_models_says_what_it_offers(workers: Process, ada: AdminClient, fake: FakeProvider) -> None:
    text = finished(ada, start_test(ada, provider_of(fake)))
    assert "large, small" in text


@pytest.mark.processes
@pytest.mark.parametrize("model", ["error401", "error403", "error500", "error404", "failing0", "garbage0"])
def test_a_refusal_is_told_without_the_key(workers: Process, ada: AdminClient, fake: FakeProvider, model: str) -> None:
    provider = provider_of(fake, model)
    text = finished(ada, start_test(ada, provider.models.get()))
    assert "It did not work" in text
    assert CANARY not in text
    assert all(CANARY not in str(client().get(key)) for key in client().scan_iter("trial:*"))
    assert CANARY not in workers.log.read_text()


@pytest.mark.processes
def test_a_provider_that_is_not_there(workers: Process, ada: AdminClient) -> None:
    provider = Provider.objects.create(name="Nobody", base_url="http://127.0.0.1:9/v1")
    Model.objects.create(provider=provider, name="None", identifier="none")
    assert "It did not work" in finished(ada, start_test(ada, provider))


@pytest.mark.processes
@pytest.mark.parametrize("identifier", ["minilm-extractive", "minilm-zero-shot"])
def test_a_built_in_model_answers(workers: Process, ada: AdminClient, identifier: str) -> None:
    text = finished(ada, start_test(ada, Model.objects.get(identifier=identifier)))
    assert "It works" in text


def test_without_a_model_there_may_be_nothing_to_test(ada: AdminClient, defaults: None) -> None:
    provider = Provider.objects.create(name="Ours", kind="transformers")
    page = ada.submit(f"/admin/workers/provider/{provider.pk}/change/", button="workers_provider_save_and_test")
    assert "add a model first" in said(page)


def test_the_page_says_that_nobody_works(ada: AdminClient, admin: Any) -> None:
    provider = Provider.objects.create(name="Acme", base_url="http://127.0.0.1:9/v1")
    Trial("ticket", admin.pk, "a-queue-of-nobody", time.time(), {}).save()
    page = ada.get(f"/admin/workers/provider/{provider.pk}/trials/ticket/").content.decode()
    assert "Waiting for a worker" in page
    assert "No worker serves the queue “a-queue-of-nobody”" in page
    assert 'http-equiv="refresh"' in page  # for a browser without scripts


def test_the_page_says_that_everybody_is_busy(ada: AdminClient, admin: Any) -> None:
    provider = Provider.objects.create(name="Acme", base_url="http://127.0.0.1:9/v1")
    client().set("alive:busy:a-test:1", 1, px=60_000)
    Trial("ticket", admin.pk, "busy", time.time() - 11, {}).save()
    page = ada.get(f"/admin/workers/provider/{provider.pk}/trials/ticket/").content.decode()
    assert "Every worker of the queue “busy” is busy" in page
    client().delete("alive:busy:a-test:1")


def test_a_trial_in_a_queue_does_not_stop_the_reaper(ada: AdminClient, admin: Any) -> None:
    Trial.start(trials.check_model, "a-queue-of-nobody", admin, provider=1, model=None)
    assert client().llen("a-queue-of-nobody:5") == 1
    assert queues.waiting({"a-queue-of-nobody"}) == set()


def test_a_broker_that_is_away_is_named(ada: AdminClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*args: Any, **kwargs: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(trials.check_model, "apply_async", break_down)
    provider = Provider.objects.create(name="Acme", base_url="http://127.0.0.1:9/v1")
    page = ada.get(start_test(ada, provider)).content.decode()
    assert "The queue cannot be reached" in page


def test_a_redis_that_is_away_is_named(ada: AdminClient) -> None:
    provider = Provider.objects.create(name="Acme", base_url="http://127.0.0.1:9/v1")
    client.cache_clear()
    try:
        with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
            path = f"/admin/workers/provider/{provider.pk}/change/"
            page = ada.submit(path, button="workers_provider_save_and_test", name="Renamed")
            tried = ada.post("/admin/chat/turn/try/", {"text": "hello"}).content.decode()
            result = ada.get("/admin/chat/turn/try/ticket/").content.decode()
    finally:
        client.cache_clear()
    assert "Renamed is saved, but not tested. Redis cannot be reached" in said(page)
    assert "Redis cannot be reached" in tried
    assert "hello" in tried
    assert "Redis cannot be reached" in result


@pytest.mark.processes
def test_a_message_is_tried(workers: Process, ada: AdminClient) -> None:
    path = ada.post("/admin/chat/turn/try/", {"text": "Summarise this article for me: ..."})["Location"]
    text = finished(ada, path)
    assert "Summary" in text
    assert "MiniLM" in text
    assert "Nearest examples" in text
    assert "Revision 1" in text


@pytest.mark.processes
def test_a_message_is_tried_on_a_route_by_name(workers: Process, ada: AdminClient) -> None:
    path = ada.post("/admin/chat/turn/try/", {"text": "hello", "wanted_route": "classify"})["Location"]
    assert "Chosen by name" in finished(ada, path)
    path = ada.post("/admin/chat/turn/try/", {"text": "/nonsense hello"})["Location"]
    assert "There is no route “nonsense”" in finished(ada, path)


def test_an_empty_message_is_not_tried(ada: AdminClient, defaults: None) -> None:
    assert "This field is required" in ada.post("/admin/chat/turn/try/", {"text": " "}).content.decode()


@pytest.mark.processes
def test_a_change_takes_effect_in_the_running_worker(workers: Process, ada: AdminClient) -> None:
    def route_of(text: str) -> str:
        return finished(ada, ada.post("/admin/chat/turn/try/", {"text": text})["Location"])

    assert "A rule applied" not in route_of("zebra crossing")
    route = Route.objects.get(name="classify")
    rule = {"rules-0-kind": "pattern", "rules-0-value": "^zebra", "rules-0-position": 0}
    ada.submit(f"/admin/router/route/{route.pk}/change/", **rule)
    wait_until(lambda: "A rule applied" in route_of("zebra crossing"), 10, "the new revision")
    assert workers.is_running()

"""Testing a provider and trying a message, done by a real worker."""

from __future__ import annotations

import re
import time
from dataclasses import asdict
from typing import Any

import orjson
import pytest
from kombu.exceptions import OperationalError

from router.models import Revision, Route
from router.revisions import publish
from tests.admin.conftest import CANARY, AdminClient, said
from tests.backends.fake_provider import FakeProvider
from tests.processes import Process, pretended_worker, wait_until
from workers import broker, trials
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
    path = start_test(ada, provider_of(fake, "tokens3"))
    assert "Test of Acme tokens3" in ada.get(path).content.decode()
    text = finished(ada, path)
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
    Trial("ticket", admin.pk, "busy", time.time() - 11, {}).save()
    with pretended_worker(queues=["busy"]):
        page = ada.get(f"/admin/workers/provider/{provider.pk}/trials/ticket/").content.decode()
    assert "Every worker of the queue “busy” is busy" in page


def test_the_page_says_that_a_worker_is_silent(ada: AdminClient, admin: Any) -> None:
    provider = Provider.objects.create(name="Acme", base_url="http://127.0.0.1:9/v1")
    path = f"/admin/workers/provider/{provider.pk}/trials/ticket/"
    trial = Trial("ticket", admin.pk, "busy", time.time(), {})
    trial.begin()
    assert "Nothing has been heard" not in ada.get(path).content.decode()
    silent = {**asdict(trial), "saved_at": time.time() - 190}
    client().set("trial:ticket", orjson.dumps(silent))
    assert "Nothing has been heard of it for 3 minutes" in ada.get(path).content.decode()


def test_a_trial_is_kept_for_a_day_until_it_is_finished(admin: Any) -> None:
    trial = Trial("ticket", admin.pk, "busy", time.time(), {})
    trial.begin()
    assert trials.KEEP_SECONDS < client().ttl("trial:ticket") <= trials.KEEP_OPEN_SECONDS
    trial.finish()
    assert 0 < client().ttl("trial:ticket") <= trials.KEEP_SECONDS


def test_a_trial_in_a_queue_does_not_stop_the_reaper(ada: AdminClient, admin: Any) -> None:
    Trial.start(trials.check_model, "a-queue-of-nobody", admin, provider=1, model=None)
    assert client().llen("a-queue-of-nobody:5") == 1
    assert broker.depth("a-queue-of-nobody") == 1
    assert broker.RedisQueues().jobs({"a-queue-of-nobody"}) == set()


def test_a_broker_that_is_away_is_named(ada: AdminClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*args: Any, **kwargs: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(trials.check_model, "apply_async", break_down)
    provider = Provider.objects.create(name="Acme", base_url="http://127.0.0.1:9/v1")
    page = ada.get(start_test(ada, provider)).content.decode()
    assert "The queue cannot be reached" in page


def test_a_redis_that_is_away_is_named(ada: AdminClient, no_redis: None) -> None:
    provider = Provider.objects.create(name="Acme", base_url="http://127.0.0.1:9/v1")
    path = f"/admin/workers/provider/{provider.pk}/change/"
    page = ada.submit(path, button="workers_provider_save_and_test", name="Renamed")
    tried = ada.post("/admin/chat/turn/try/", {"text": "hello"}).content.decode()
    result = ada.get("/admin/chat/turn/try/ticket/").content.decode()
    assert "Renamed is saved, but not tested. Redis cannot be reached" in said(page)
    assert "Redis cannot be reached" in tried
    assert "hello" in tried
    assert "Redis cannot be reached" in result


def tried(ada: AdminClient, text: str, **fields: str) -> str:
    """The page of what a message would become."""
    return finished(ada, ada.post("/admin/chat/turn/try/", {"text": text, **fields})["Location"])


def column(page: str, title: str) -> str:
    """What the page says under a heading."""
    found = [part for part in page.split("<section")[1:] if re.search(rf"<h2[^>]*>\s*{title}\s*</h2>", part)]
    assert len(found) == 1
    return found[0].partition("</section>")[0]


@pytest.mark.processes
def test_a_message_is_tried(workers: Process, ada: AdminClient) -> None:
    page = tried(ada, "Summarise this article for me: ...")
    assert "The draft says the same as what is live." in page
    assert page.count("<section") == 1
    live = column(page, "Live")
    for words in ("Summary", "MiniLM", "The classifier is sure enough", "Runner-up", "Nearest examples", "Revision 1"):
        assert words in live


@pytest.mark.processes
def test_a_message_is_tried_on_a_route_by_name(workers: Process, ada: AdminClient) -> None:
    assert "Chosen by name" in tried(ada, "hello", wanted_route="classify")
    assert "There is no route “nonsense”" in tried(ada, "/nonsense hello")


def test_an_empty_message_is_not_tried(ada: AdminClient, defaults: None) -> None:
    assert "This field is required" in ada.post("/admin/chat/turn/try/", {"text": " "}).content.decode()


@pytest.mark.processes
def test_the_draft_decides_beside_what_is_live(workers: Process, ada: AdminClient) -> None:
    route = Route.objects.get(name="classify")
    rule = {"rules-0-kind": "pattern", "rules-0-value": "zebra", "rules-0-position": 0}
    ada.submit(f"/admin/router/route/{route.pk}/change/", **rule)
    page = tried(ada, "Write a poem about a zebra <script>alert(1)</script>")
    assert "The draft decides otherwise: Classification instead of Chat." in page
    assert "A rule applied" not in column(page, "Live")
    assert "Revision 1" in column(page, "Live")
    draft = column(page, "Draft")
    assert "A rule applied. The message matches a regular expression: zebra" in draft
    assert "Answered by MiniLM zero-shot" in draft
    assert "Revision" not in draft
    assert "<script>alert(1)" not in page
    assert "Both choose Chat." in tried(ada, "Write a poem about a fox.")
    publish(None, "zebras")
    wait_until(lambda: "A rule applied" in column(tried(ada, "zebra crossing"), "Live"), 10, "the new revision")


@pytest.mark.processes
def test_a_route_of_the_draft_can_be_wished_for(workers: Process, ada: AdminClient) -> None:
    Route.objects.create(name="poems", title="Poems", description="Poems.", role="generate").examples.create(
        text="A ode"
    )
    assert "Poems" in ada.get("/admin/chat/turn/try/").content.decode()
    page = tried(ada, "hello", wanted_route="poems")
    assert "There is no route “poems”" in column(page, "Live")
    assert "Chosen by name" in column(page, "Draft")
    assert "No model of this route is switched on" in column(page, "Draft")
    assert "They cannot be compared." in page


@pytest.mark.processes
def test_the_same_route_for_another_reason_is_said(workers: Process, ada: AdminClient) -> None:
    Route.objects.get(name="generate").rules.create(kind="pattern", value="fox", position=0)
    page = tried(ada, "Write a poem about a fox.")
    assert "Both choose Chat, but for another reason: live by the classifier, the draft by a rule." in page


@pytest.mark.processes
def test_a_draft_that_cannot_be_published_says_so_in_its_column(workers: Process, ada: AdminClient) -> None:
    Route.objects.update(is_default=False)
    page = tried(ada, "hello")
    assert "No route is the default" in column(page, "Draft")
    assert "Chat" in column(page, "Live")


@pytest.mark.processes
def test_a_draft_is_tried_before_anything_is_live(workers: Process, ada: AdminClient) -> None:
    Revision.objects.update(is_live=False)
    page = tried(ada, "Summarise this article for me: ...")
    assert "No routes have been published yet" in column(page, "Live")
    assert "Summary" in column(page, "Draft")

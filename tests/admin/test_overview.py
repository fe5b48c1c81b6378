"""The first page says what runs and what is missing."""

from __future__ import annotations

from django.utils import timezone

from tests.admin.conftest import AdminClient
from tests.processes import pretended_worker
from workers import presence
from workers.connections import client
from workers.models import Completion, Model, Provider


def shown(ada: AdminClient) -> str:
    return ada.get("/admin/").content.decode()


def test_it_asks_for_a_generative_model(ada: AdminClient, defaults: None) -> None:
    assert "No generative model is connected" in shown(ada)
    provider = Provider.objects.create(name="Acme", base_url="http://127.0.0.1:9/v1")
    Model.objects.create(provider=provider, name="Acme large", identifier="large")
    assert "No generative model is connected" not in shown(ada)
    assert "The route Chat has no model that is switched on" in shown(ada)


def test_it_shows_the_live_revision(ada: AdminClient, defaults: None) -> None:
    assert "Revision 1" in shown(ada)


def test_it_works_before_anything_is_there(ada: AdminClient) -> None:
    assert "No routes are published yet" in shown(ada)


def test_it_names_queues_that_nobody_serves(ada: AdminClient, defaults: None) -> None:
    client().delete(presence.INDEX)
    off = Provider.objects.create(name="Off", kind="transformers", is_enabled=False)
    Model.objects.create(provider=off, name="Local", identifier="local")
    with pretended_worker(queues=["route"]):
        page = shown(ada)
    assert "the queue “local”" not in page
    assert "the queue “embedded”" in page
    assert "-A chatsite worker -Q embedded" in page
    assert "the queue “route”" not in page
    assert "the queue “files”" in page
    assert "-A chatsite worker -Q files" in page


def test_it_counts_answers_that_were_set_aside(ada: AdminClient, defaults: None) -> None:
    Completion.objects.create(
        reply_id="00000000-0000-0000-0000-000000000001",
        role="generate",
        prompt=[],
        status="quarantined",
        finished_at=timezone.now(),
    )
    assert "Answers that were set aside after failing again and again: 1" in shown(ada)


def test_it_works_while_redis_is_away(ada: AdminClient, defaults: None, no_redis: None) -> None:
    assert "Redis cannot be reached" in shown(ada)

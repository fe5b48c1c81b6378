"""Publishing makes the draft live, at once and for good; every process follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError

from router import defaults, policies, running
from router.drafts import InvalidPolicyError, snapshot
from router.models import Classifier, Example, Revision, Route, Rule
from router.policies import NoLiveRevisionError, live_policy
from router.revisions import import_classifier, publish
from tests.router.conftest import FakeEncoder, embed
from workers.models import Model, Provider


@pytest.fixture(autouse=True)
def _a_process_that_has_decided_nothing_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "_policies", policies._Policies())


@pytest.fixture
def classifier(db: None, artefact: bytes, tmp_path: Path) -> Classifier:
    path = tmp_path / "classifier.safetensors"
    path.write_bytes(artefact)
    return import_classifier(path)


@pytest.fixture
def routes(classifier: Classifier) -> None:
    provider = Provider.objects.create(name="Built in", kind="embedded")
    models = {
        role: [Model.objects.create(provider=provider, name=name, identifier=name)]
        for role, name in (("summarise", "minilm-extractive"), ("classify", "minilm-zero-shot"))
    }
    defaults.load_defaults(models)


def test_a_published_revision_is_what_a_process_decides_with(routes: None) -> None:
    revision = publish(None, "the first")
    policy = live_policy(embed)
    assert (revision.number, revision.is_live, revision.note) == (1, True, "the first")
    assert policy.revision == 1
    assert [route.name for route in policy.routes] == ["summarise", "classify", "generate"]
    assert policy.default_route.name == "generate"
    assert policy.route("summarise").model_ids == (Model.objects.get(name="minilm-extractive").pk,)


def test_the_next_one_takes_over(routes: None) -> None:
    publish(None)
    live_policy(embed)
    Route.objects.filter(name="summarise").update(title="Digest")
    assert live_policy(embed).route("summarise").title == "Summary"
    publish(None)
    assert live_policy(embed).route("summarise").title == "Digest"
    assert list(Revision.objects.values_list("number", "is_live")) == [(2, True), (1, False)]


def test_the_database_is_asked_again_only_after_the_interval(
    routes: None, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    publish(None)
    policy = live_policy(embed)
    with django_assert_num_queries(2):
        assert live_policy(embed) is policy
    monkeypatch.setattr(running, "CHECK_INTERVAL_SECONDS", 3600)
    with django_assert_num_queries(0):
        assert live_policy(embed) is policy


def test_a_replaced_database_with_the_same_number_is_noticed(routes: None) -> None:
    publish(None)
    live_policy(embed)
    Revision.objects.all().delete()
    Route.objects.filter(name="summarise").update(title="Digest")
    publish(None)
    assert live_policy(embed).route("summarise").title == "Digest"


def test_only_new_texts_are_embedded_again(routes: None) -> None:
    publish(None)
    live_policy(embed)
    Example.objects.create(route=Route.objects.get(name="generate"), text="a new example")
    publish(None)
    encoder = FakeEncoder()
    policy = live_policy(encoder)
    assert encoder.embedded == ["a new example"]
    assert len(policy.anchors) == len(policy.anchor_vectors)


def test_routes_that_are_switched_off_are_left_out(routes: None) -> None:
    Route.objects.filter(name="classify").update(is_enabled=False)
    assert [route["name"] for route in snapshot()["routes"]] == ["summarise", "generate"]


def test_a_revision_keeps_what_was_published(routes: None) -> None:
    route = Route.objects.get(name="summarise")
    Rule.objects.create(route=route, kind="longer_than", value="20000", position=3)
    kept = publish(None).snapshot["routes"][0]
    route.delete()
    assert kept["rules"] == [{"kind": "longer_than", "value": "20000", "position": 3}]
    assert "tl;dr" in kept["examples"]
    assert Revision.objects.get().snapshot["routes"][0] == kept


def test_nothing_published_is_said(db: None) -> None:
    with pytest.raises(NoLiveRevisionError, match="load_defaults"):
        live_policy(embed)


def test_a_draft_without_a_default_route_is_refused(routes: None) -> None:
    Route.objects.update(is_default=False)
    with pytest.raises(InvalidPolicyError, match="No route is the default"):
        publish(None)
    assert not Revision.objects.exists()


def test_there_is_never_a_second_default_route(routes: None) -> None:
    with pytest.raises(IntegrityError):
        Route.objects.filter(name="summarise").update(is_default=True)


def test_a_route_without_a_model_is_refused_unless_it_generates(routes: None) -> None:
    Route.objects.get(name="summarise").route_models.all().delete()
    with pytest.raises(InvalidPolicyError, match="Summary has no model"):
        publish(None)


def test_a_model_that_cannot_play_the_role_is_refused(routes: None) -> None:
    model = Model.objects.get(name="minilm-zero-shot")
    Route.objects.get(name="generate").route_models.create(model=model)
    with pytest.raises(InvalidPolicyError, match="minilm-zero-shot cannot generate"):
        publish(None)


def test_a_rule_that_cannot_be_read_is_refused(routes: None) -> None:
    Rule.objects.create(route=Route.objects.get(name="summarise"), value="[")
    with pytest.raises(InvalidPolicyError, match="rule of the route Summary"):
        publish(None)


def test_a_draft_without_a_classifier_is_refused(routes: None) -> None:
    Classifier.objects.all().delete()
    with pytest.raises(InvalidPolicyError, match="load_defaults"):
        publish(None)


def test_importing_a_classifier_twice_keeps_one(classifier: Classifier, tmp_path: Path) -> None:
    assert import_classifier(tmp_path / "classifier.safetensors") == classifier
    assert classifier.metadata["roles"] == ["summarise", "classify", "generate"]


def test_the_defaults_never_touch_what_admins_made(routes: None) -> None:
    Route.objects.get(name="classify").delete()
    Route.objects.filter(name="summarise").update(title="Digest")
    assert defaults.load_defaults({}) == []
    assert sorted(Route.objects.values_list("title", flat=True)) == ["Chat", "Digest"]

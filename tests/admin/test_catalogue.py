"""Providers with their models, and models with their options."""

from __future__ import annotations

import pytest

from tests.admin.conftest import AdminClient, errors, said
from workers.forms import KNOWN_OPTIONS, OptionsField
from workers.models import Model, Provider


@pytest.fixture
def model(db: None) -> Model:
    provider = Provider.objects.create(name="Acme", base_url="http://127.0.0.1:9/v1")
    return Model.objects.create(provider=provider, name="Acme large", identifier="acme/large")


def change(model: Model) -> str:
    return f"/admin/workers/model/{model.pk}/change/"


def test_a_provider_is_added_with_its_models(ada: AdminClient) -> None:
    rows = {"models-0-name": "Small", "models-0-identifier": "s", "models-0-context_window": 8192}
    page = ada.submit(
        "/admin/workers/provider/add/",
        name="Acme",
        base_url="http://127.0.0.1:9/v1",
        **rows,
        **{"models-0-max_output_tokens": 500, "models-0-is_enabled": "on"},
    )
    assert page.status_code == 200
    assert Model.objects.get(provider__name="Acme").context_window == 8192


def test_the_list_of_providers_says_what_each_is(ada: AdminClient, defaults: None, model: Model) -> None:
    content = ada.get("/admin/workers/provider/").content.decode()
    assert "http://127.0.0.1:9/v1" in content
    assert "this machine" in content


def test_the_built_in_provider_cannot_be_added_twice_or_deleted(ada: AdminClient, defaults: None) -> None:
    page = ada.submit("/admin/workers/provider/add/", name="Second", kind="embedded")
    assert "kind" in errors(page)
    built_in = Provider.objects.get(kind="embedded")
    assert ada.post(f"/admin/workers/provider/{built_in.pk}/delete/", {"post": "yes"}).status_code == 403


def test_the_list_of_models_says_where_each_is_used(ada: AdminClient, defaults: None, model: Model) -> None:
    content = ada.get("/admin/workers/model/").content.decode()
    assert "Summary" in content
    assert "remote" in content
    assert "none" in content


def test_a_model_that_no_route_uses_comes_with_a_hint(ada: AdminClient, model: Model) -> None:
    assert "No route uses Acme large yet" in said(ada.submit(change(model)))


def test_a_model_that_a_route_uses_cannot_be_deleted(ada: AdminClient, defaults: None) -> None:
    used = Model.objects.get(identifier="minilm-extractive")
    page = ada.post(f"/admin/workers/model/{used.pk}/delete/", {"post": "yes"})
    assert Model.objects.filter(pk=used.pk).exists()
    assert page.status_code == 200


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ('{"temperature": 2.5}', "temperature must be a number from 0 to 2"),
        ('{"temperature": "hot"}', "temperature must be a number from 0 to 2"),
        ('{"temperature": NaN}', "temperature must be a number from 0 to 2"),
        ('{"top_p": -0.1}', "top_p must be a number from 0 to 1"),
        ('{"max_tokens": 0}', "max_tokens must be a whole number of at least 1"),
        ('{"max_tokens": 1.5}', "max_tokens must be a whole number of at least 1"),
        ('{"temprature": 1, "sauce": 2}', "There is no option sauce, temprature"),
        (r'{"stop": ["\ud800"]}', "characters in it that are no text"),
        (r'{"stop": ["a\\\u0000"]}', "characters in it that are no text"),
        ("[1, 2]", "Options are a JSON object"),
        ("{temperature: 1}", "This is not JSON"),
        ("[" * 9000, "This is not JSON"),
        ("9" * 9000, "This is not JSON"),
        ('{"stop": "' + "x" * 20_000 + '"}', "This is not JSON"),
    ],
)
def test_options_that_no_model_takes_are_refused(ada: AdminClient, model: Model, options: str, reason: str) -> None:
    assert reason in errors(ada.submit(change(model), options=options))
    model.refresh_from_db()
    assert model.options == {}


def test_options_are_kept_as_they_were_entered(ada: AdminClient, model: Model) -> None:
    options = r'{"temperature": 0.2, "stop": ["END", "\\u0000 \ud83d\ude00"], "max_tokens": 50}'
    ada.submit(change(model), options=options)
    model.refresh_from_db()
    assert model.options == {"temperature": 0.2, "stop": ["END", "\\u0000 😀"], "max_tokens": 50}
    assert "&quot;temperature&quot;: 0.2" in ada.get(change(model)).content.decode()


def test_the_words_name_every_option_that_there_is() -> None:
    values = {"temperature": 1, "top_p": 1, "max_tokens": 1, "stop": "x", "seed": 1}
    values |= {"frequency_penalty": 1, "presence_penalty": 1}
    OptionsField().validate(values)
    assert all(name in KNOWN_OPTIONS for name in values)


def test_an_answer_has_to_fit_into_the_window(ada: AdminClient, model: Model) -> None:
    page = ada.submit(change(model), context_window=1000, max_output_tokens=1000)
    assert "must be shorter" in errors(page)
    page = ada.submit(
        f"/admin/workers/provider/{model.provider_id}/change/", **{"models-0-max_output_tokens": model.context_window}
    )
    assert "must be shorter" in page.content.decode()
    model.refresh_from_db()
    assert model.max_output_tokens < model.context_window


def test_a_model_can_be_given_to_a_group_of_workers(ada: AdminClient, model: Model) -> None:
    page = ada.submit(change(model), worker_group="far")
    model.refresh_from_db()
    assert model.queue == "remote-far"
    assert "No worker serves the queue “remote-far”" in said(page)
    assert "-A chatsite worker -Q remote-far -n remote-far@%h" in said(page)
    assert "-Q remote-far" in ada.get(change(model)).content.decode()


@pytest.mark.parametrize("group", ["Far", "far away", "far:5", "-far"])
def test_the_name_of_a_group_is_made_of_letters_digits_and_dashes(ada: AdminClient, model: Model, group: str) -> None:
    assert "small letters, digits and dashes" in errors(ada.submit(change(model), worker_group=group))


def test_the_default_group_has_one_name(ada: AdminClient, model: Model) -> None:
    ada.submit(change(model), worker_group="default")
    model.refresh_from_db()
    assert (model.worker_group, model.queue) == ("", "remote")


def test_the_built_in_models_have_a_queue_of_their_own(ada: AdminClient, defaults: None) -> None:
    built_in = Model.objects.get(identifier="minilm-extractive")
    assert "Leave this empty" in errors(ada.submit(change(built_in), worker_group="far"))


def test_only_a_model_that_workers_load_can_be_kept_ready(ada: AdminClient, model: Model) -> None:
    assert "Only models of transformers" in errors(ada.submit(change(model), is_warm="on"))
    model.provider = Provider.objects.create(name="Here", kind="transformers")
    model.save()
    ada.submit(change(model), is_warm="on")
    model.refresh_from_db()
    assert model.is_warm

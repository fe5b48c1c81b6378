"""What can be wrong with a route is said in words that help."""

from __future__ import annotations

from typing import Any

import pytest

from router import drafts
from router.drafts import snapshot
from router.models import Example, Route, Rule
from tests.admin.conftest import AdminClient, errors, said
from workers.models import Model, Provider

ADD = "/admin/router/route/add/"
DRAFT = "/admin/router/revision/draft/"
LEGAL = {
    "name": "legal",
    "title": "Contracts",
    "description": "Questions about contracts.",
    "role": "generate",
    "new_examples": "May I cancel?\nIs this clause valid?",
}


def change(name: str) -> str:
    return f"/admin/router/route/{Route.objects.get(name=name).pk}/change/"


def model_row(model: Model, number: int = 0) -> dict[str, Any]:
    return {f"route_models-{number}-model": model.pk, f"route_models-{number}-position": number}


@pytest.fixture
def chat_model(db: None) -> Model:
    provider = Provider.objects.create(name="Acme", base_url="http://127.0.0.1:9/v1")
    return Model.objects.create(provider=provider, name="Acme large", identifier="acme/large")


def test_a_route_is_added_with_examples_models_and_rules(ada: AdminClient, defaults: None, chat_model: Model) -> None:
    rule = {"rules-0-kind": "pattern", "rules-0-value": "^contract:", "rules-0-position": 0}
    page = ada.submit(ADD, **LEGAL, **model_row(chat_model), **rule)
    route = Route.objects.get(name="legal")
    assert [str(link.model) for link in route.route_models.all()] == ["Acme large"]
    assert [example.text for example in route.examples.all()] == ["May I cancel?", "Is this clause valid?"]
    assert [each.value for each in route.rules.all()] == ["^contract:"]
    assert "This changed the draft" in said(page)


def test_a_generative_route_without_a_model_is_saved_with_a_warning(ada: AdminClient, defaults: None) -> None:
    page = ada.submit(ADD, **LEGAL)
    assert "told that no generative model is connected" in said(page)
    assert Route.objects.filter(name="legal").exists()


def test_a_draft_whose_route_summarises_without_a_model_cannot_be_published(ada: AdminClient, defaults: None) -> None:
    assert "has no model" in said(ada.submit(ADD, **{**LEGAL, "role": "summarise"}))
    assert "The route Contracts has no model" in ada.get(DRAFT).content.decode()


def test_a_draft_with_a_route_that_nothing_leads_to_cannot_be_published(ada: AdminClient, defaults: None) -> None:
    ada.submit(ADD, **{**LEGAL, "new_examples": ""})
    assert "Nothing would lead to the route Contracts" in ada.get(DRAFT).content.decode()
    assert Route.objects.get(name="legal").description == "Questions about contracts."


def test_an_example_that_a_rule_sends_elsewhere_is_warned_of(ada: AdminClient, defaults: None) -> None:
    row = {"rules-0-kind": "pattern", "rules-0-value": "capital of", "rules-0-position": 0}
    warning = "The rule “capital of” sends 1 example of Chat to Summary: “what is the capital of Peru”."
    assert warning in said(ada.submit(change("summarise"), **row))
    assert warning in ada.get(DRAFT).content.decode()


def test_a_route_may_wait_switched_off_until_it_is_ready(ada: AdminClient, defaults: None) -> None:
    ada.submit(ADD, **{**LEGAL, "new_examples": "", "is_enabled": None})
    assert not Route.objects.get(name="legal").is_enabled


def test_an_example_of_another_route_is_refused_with_its_name(ada: AdminClient, defaults: None) -> None:
    page = ada.submit(ADD, **{**LEGAL, "new_examples": "a new one\n tl;dr "})
    assert "“tl;dr” is an example of the route Summary" in errors(page).replace("&quot;", '"')
    assert not Example.objects.filter(text="a new one").exists()


def test_an_example_of_another_route_is_refused_in_the_list_too(ada: AdminClient, defaults: None) -> None:
    page = ada.submit(change("generate"), **{"examples-10-text": "tl;dr"})
    assert "The route Summary has this example already" in errors(page)


def test_the_same_example_twice_in_the_list_is_refused(ada: AdminClient, defaults: None) -> None:
    page = ada.submit(change("generate"), **{"examples-10-text": "Bonjour!", "examples-11-text": " Bonjour! "})
    assert "This example is there twice" in errors(page)
    page = ada.submit(change("generate"), **{"examples-10-text": "hi, how are you?"})
    assert "This example is there twice" in errors(page)
    page = ada.submit(ADD, **LEGAL, **{"examples-0-text": "May I leave?", "examples-1-text": "May I leave?"})
    assert "This example is there twice" in errors(page)


def test_an_example_may_be_longer_than_what_an_index_takes(ada: AdminClient, defaults: None) -> None:
    ada.submit(ADD, **LEGAL, **{"examples-0-text": "Ünd so weiter. " * 1000})
    assert Example.objects.filter(text__startswith="Ünd", route__name="legal").count() == 1


def test_examples_are_added_once(ada: AdminClient, defaults: None) -> None:
    ada.submit(change("generate"), new_examples="Bonjour!\n\n  Bonjour!  \nhi, how are you?")
    assert Example.objects.filter(text="Bonjour!").count() == 1
    assert Example.objects.filter(text="hi, how are you?").count() == 1


def test_a_route_with_hundreds_of_rules_can_be_saved(ada: AdminClient, defaults: None) -> None:
    route = Route.objects.get(name="generate")
    Rule.objects.bulk_create(Rule(route=route, value=f"word{number}") for number in range(250))
    ada.submit(change("generate"), title="Talk")
    route.refresh_from_db()
    assert (route.title, route.rules.count()) == ("Talk", 250)
    ada.submit(f"{change('generate')}?rules-page=5", **{"rules-49-value": "another"})
    assert route.rules.filter(value="another").count() == 1
    assert route.rules.count() == 250


def test_a_route_has_not_more_examples_than_every_process_can_read_at_once(ada: AdminClient, defaults: None) -> None:
    lines = [f"example {number}" for number in range(drafts.MAX_EXAMPLES + 1)]
    page = ada.submit(change("generate"), new_examples="\n".join(lines))
    assert "These are 501 examples; 500 are allowed" in errors(page)
    ada.submit(change("generate"), new_examples="\n".join(lines[1:]))  # with those that are there already
    page = ada.get(DRAFT).content.decode()
    assert "The route Chat has 510 examples; 500 are allowed" in page


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("(unclosed", "missing )"),
        ("(?=ahead)", "look-around"),
        ("a{9999}", "invalid repetition size"),
    ],
)
def test_a_pattern_that_re2_cannot_run_is_refused_with_the_reason(
    ada: AdminClient, defaults: None, value: str, reason: str
) -> None:
    row = {"rules-0-kind": "pattern", "rules-0-value": value, "rules-0-position": 0}
    assert reason in errors(ada.submit(change("summarise"), **row))


def test_a_length_has_to_be_a_number(ada: AdminClient, defaults: None) -> None:
    row = {"rules-0-kind": "longer_than", "rules-0-value": "many", "rules-0-position": 0}
    assert "whole number of characters" in errors(ada.submit(change("summarise"), **row))


def test_a_model_that_cannot_play_the_role_is_refused(ada: AdminClient, defaults: None) -> None:
    extractive = Model.objects.get(identifier="minilm-extractive")
    assert "cannot classify" in errors(ada.submit(change("classify"), **model_row(extractive, 1)))
    assert "cannot generate" in errors(ada.submit(ADD, **LEGAL, **model_row(extractive)))


def test_a_model_that_is_added_comes_last(ada: AdminClient, defaults: None, chat_model: Model) -> None:
    others = [chat_model.provider.models.create(name=name, identifier=name) for name in ("b", "c", "d")]
    for number, model in enumerate((chat_model, others[0])):
        ada.submit(change("generate"), **{**model_row(model, number), f"route_models-{number}-position": 0})
    ada.submit(change("generate"), **{"route_models-2-model": others[1].pk, "route_models-2-position": 0})
    assert [str(link.model) for link in Route.objects.get(name="generate").route_models.all()] == [
        "Acme large",
        "b",
        "c",
    ]
    places = {"route_models-0-position": 1, "route_models-1-position": 2, "route_models-2-position": 3}
    ada.submit(change("generate"), **places, **{"route_models-3-model": others[2].pk, "route_models-3-position": 0})
    assert str(Route.objects.get(name="generate").route_models.all()[0].model) == "d"


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ("billing", "at least two labels"),
        ("billing: invoices\nbilling: again", "each once"),
        ("- an example\nbilling", "Line 1 is an example"),
        ("billing\n: no name", "Line 2 has no name"),
    ],
)
def test_labels_that_leave_nothing_to_choose_are_refused(
    ada: AdminClient, defaults: None, labels: str, reason: str
) -> None:
    assert reason in errors(ada.submit(change("classify"), labels=labels))


def test_labels_are_written_one_per_line(ada: AdminClient, defaults: None) -> None:
    text = "billing: invoices and payments\n- I was charged twice\n- Where is my invoice?\ntechnical"
    ada.submit(change("classify"), labels=text)
    route = Route.objects.get(name="classify")
    examples = ["I was charged twice", "Where is my invoice?"]
    assert route.labels == [
        {"name": "billing", "description": "invoices and payments", "examples": examples},
        {"name": "technical"},
    ]
    assert text in ada.get(change("classify")).content.decode()


def test_a_threshold_is_a_share(ada: AdminClient, defaults: None) -> None:
    assert "threshold" in errors(ada.submit(change("classify"), threshold="1.5"))


def test_a_name_is_a_command(ada: AdminClient, defaults: None) -> None:
    assert "people type it as /name" in errors(ada.submit(ADD, **{**LEGAL, "name": "Legal stuff"}))


def test_the_default_moves(ada: AdminClient, defaults: None) -> None:
    ada.submit(change("summarise"), becomes_default="on")
    assert [route.name for route in Route.objects.filter(is_default=True)] == ["summarise"]
    assert [route["name"] for route in snapshot()["routes"] if route["is_default"]] == ["summarise"]


def test_the_default_cannot_be_given_up(ada: AdminClient, defaults: None) -> None:
    ada.submit(change("generate"), becomes_default=None, title="Talk")
    assert Route.objects.get(is_default=True).title == "Talk"


def test_the_default_cannot_be_switched_off(ada: AdminClient, defaults: None) -> None:
    page = ada.submit(change("generate"), is_enabled=None)
    assert "Make another route the default first" in errors(page)
    page = ada.submit(change("summarise"), is_enabled=None, becomes_default="on")
    assert "The default route stays enabled" in errors(page)
    assert Route.objects.get(is_default=True).name == "generate"


def test_the_default_cannot_be_deleted(ada: AdminClient, defaults: None) -> None:
    default = Route.objects.get(is_default=True)
    page = ada.post(f"/admin/router/route/{default.pk}/delete/", {"post": "yes"}, follow=True)
    assert "Make another route the default first" in said(page)
    everything = {"action": "delete_selected", "_selected_action": [r.pk for r in Route.objects.all()], "post": "yes"}
    page = ada.post("/admin/router/route/", everything, follow=True)
    assert "Make another route the default first" in said(page)
    assert Route.objects.count() == 3

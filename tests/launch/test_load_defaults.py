"""A fresh installation can answer at once, and no later start undoes what an admin has done."""

from io import StringIO

import pytest
from django.core.management import call_command

from router.models import Revision, Route
from tests.backends.fake_provider import FakeProvider
from tests.environment import free_port
from workers.models import Model, Provider, Role

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_server_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)


def _load() -> str:
    output = StringIO()
    call_command("load_defaults", stdout=output)
    return output.getvalue()


def test_it_works() -> None:
    assert "Published revision 1." in _load()
    assert {route.role for route in Route.objects.all()} == set(Role.values)
    for route in Route.objects.exclude(role=Role.GENERATE):
        assert [link.model.roles for link in route.route_models.all()] == [{route.role}]
    assert {model.licence for model in Model.objects.all()} == {"Apache-2.0"}
    assert Revision.objects.get().is_live


def test_a_second_run_changes_and_says_nothing() -> None:
    _load()
    assert _load() == ""
    assert Revision.objects.count() == 1


def test_what_an_admin_changed_or_deleted_stays_so() -> None:
    _load()
    Model.objects.filter(identifier="minilm-extractive").update(name="Our summariser")
    Route.objects.filter(name="generate").update(threshold=0.9)
    Route.objects.get(name="classify").delete()
    Model.objects.get(identifier="minilm-zero-shot").delete()
    _load()
    assert list(Model.objects.values_list("name", flat=True)) == ["Our summariser"]
    assert Route.objects.get(name="generate").threshold == 0.9
    assert not Route.objects.filter(name="classify").exists()


def test_a_named_server_answers_on_the_generate_route(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1/")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("OPENAI_MODEL", "folder/tiny")
    assert "Connected folder/tiny" in _load()
    (link,) = Route.objects.get(name="generate").route_models.all()
    assert (link.model.identifier, link.model.name) == ("folder/tiny", "tiny")
    assert link.model.provider.api_key == "sk-canary"
    assert "canary" not in link.model.provider.encrypted_key
    assert _load() == ""


def test_a_server_that_is_named_later_is_published_too(monkeypatch: pytest.MonkeyPatch) -> None:
    _load()
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_MODEL", "tiny")
    assert "Published revision 2." in _load()
    assert Route.objects.get(name="generate").route_models.get().model.identifier == "tiny"


def test_several_models_are_named_and_none_is_chosen(monkeypatch: pytest.MonkeyPatch, provider: FakeProvider) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", provider.base_url)
    assert "offers " in (output := _load())
    assert "Name one with OPENAI_MODEL." in output
    assert not Provider.objects.filter(kind=Provider.Kind.OPENAI).exists()


def test_a_server_that_is_away_does_not_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{free_port()}/v1")
    assert "could not be asked for its models" in _load()
    assert Revision.objects.get().is_live


def test_an_address_that_is_not_allowed_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://169.254.169.254/v1")
    monkeypatch.setenv("OPENAI_MODEL", "tiny")
    assert "OPENAI_BASE_URL is not used: 169.254.169.254" in _load()
    monkeypatch.setenv("OPENAI_BASE_URL", "llm:8080")
    assert "OPENAI_BASE_URL is not used: Enter an address that starts with http://" in _load()
    assert not Provider.objects.filter(kind=Provider.Kind.OPENAI).exists()

"""Who may see and do what in the admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from router.models import Revision, Route
from tests.admin.conftest import CANARY, AdminClient
from workers.models import Provider
from workers.trials import Trial

PAGES = [
    "/admin/workers/provider/",
    "/admin/workers/provider/add/",
    "/admin/workers/model/",
    "/admin/workers/completion/",
    "/admin/router/route/",
    "/admin/router/route/add/",
    "/admin/router/revision/",
    "/admin/router/revision/draft/",
    "/admin/router/labelledmessage/",
    "/admin/router/labelledmessage/bench/",
    "/admin/router/correction/",
    "/admin/router/rollout/",
    "/admin/router/runningprocess/",
    "/admin/router/safeguards/1/change/",
    "/admin/router/auditentry/",
    "/admin/routing/replay/",
    "/admin/chat/turn/",
    "/admin/chat/rating/",
    "/admin/chat/turn/try/",
    "/admin/auth/user/",
    "/admin/auth/group/",
    "/admin/accounts/invitation/",
    "/admin/accounts/invitation/add/",
    "/admin/admin/logentry/",
]


@pytest.mark.parametrize("page", ["/admin/", *PAGES])
def test_a_stranger_is_sent_to_sign_in(db: None, page: str) -> None:
    response = Client().get(page, follow=True)
    assert response.redirect_chain[-1][0] == f"/sign-in/?next={page}"


@pytest.mark.parametrize("page", ["/admin/", *PAGES])
def test_somebody_who_is_not_staff_is_not_let_in(alice: User, page: str) -> None:
    client = Client()
    client.force_login(alice)
    assert client.get(page, follow=True).status_code == 403


@pytest.mark.parametrize("page", PAGES)
def test_staff_without_a_permission_is_not_let_in(alice_with: Callable[..., AdminClient], page: str) -> None:
    assert alice_with().get(page).status_code == 403


def test_staff_sees_only_what_it_may(alice_with: Callable[..., AdminClient], alice: User, defaults: None) -> None:
    content = alice_with("workers.view_provider").get("/admin/").content.decode()
    assert "/admin/workers/provider/" in content
    for page in ("/admin/router/route/", "/admin/auth/user/", "/admin/workers/model/", "/admin/chat/turn/try/"):
        assert page not in content
    assert "No generative model is connected" in content
    Route.objects.update(title="Secret plans")
    Route.objects.get(name="classify").route_models.all().delete()
    Revision.objects.update(note="Why we do that")
    told = {
        "workers.view_provider": "generative",
        "router.view_route": "Secret plans",
        "router.view_revision": "Why we",
    }
    for permission in told:
        alice.user_permissions.clear()
        content = alice_with(permission).get("/admin/").content.decode()
        assert [words for words in told.values() if words in content] == [told[permission]]


def test_looking_at_a_provider_is_not_changing_it(
    alice_with: Callable[..., AdminClient], keyed_provider: Provider
) -> None:
    helper = alice_with("workers.view_provider")
    path = f"/admin/workers/provider/{keyed_provider.pk}/change/"
    content = helper.get(path).content.decode()
    assert "A key is stored." in content
    assert "Save and test" not in content
    assert CANARY not in content
    assert helper.post(path, {"name": "Mine"}).status_code == 403


def test_looking_at_a_route_is_not_changing_it(alice_with: Callable[..., AdminClient], defaults: None) -> None:
    helper = alice_with("router.view_route", "workers.view_model")
    path = f"/admin/router/route/{Route.objects.get(name='classify').pk}/change/"
    content = helper.get(path).content.decode()
    assert "is this spam or not spam" in content
    assert "_save" not in content
    assert helper.post(path, {"title": "Mine"}).status_code == 403
    delete = {"action": "delete_selected", "_selected_action": "1", "post": "yes"}
    helper.post("/admin/router/route/", delete)
    assert Route.objects.count() == 3


@pytest.mark.parametrize(
    ("page", "hidden", "shown"),
    [
        ("workers/completion", "text__startswith=The secret", "status__exact=failed"),
        ("workers/completion", "prompt__icontains=secret", "role__exact=generate"),
        ("workers/completion", "person=1", "model__id__exact=1"),
        ("workers/provider", "encrypted_key__startswith=g", "kind__exact=openai"),
        ("chat/turn", "person=1", "status__exact=failed"),
        ("chat/rating", "user=1", "turn__decision__route=generate"),
        ("accounts/invitation", "token_hash__startswith=a", ""),
    ],
)
def test_a_filter_tells_no_more_than_the_list_shows(ada: AdminClient, page: str, hidden: str, shown: str) -> None:
    assert ada.get(f"/admin/{page}/?{hidden}").status_code == 400
    assert ada.get(f"/admin/{page}/?{shown}").status_code == 200


def test_changing_models_is_not_testing_them(
    alice_with: Callable[..., AdminClient], keyed_provider: Provider, django_capture_on_commit_callbacks: Any
) -> None:
    model = keyed_provider.models.create(name="Acme large", identifier="large")
    helper = alice_with("workers.change_model", "workers.view_model", "workers.view_provider")
    path = f"/admin/workers/model/{model.pk}/change/"
    assert "Save and test" not in helper.get(path).content.decode()
    page = helper.submit(path, button="workers_model_save_and_test")
    assert page.redirect_chain[-1][0] == "/admin/workers/model/"


def test_a_test_is_seen_by_who_started_it(
    ada: AdminClient, alice_with: Callable[..., AdminClient], keyed_provider: Provider
) -> None:
    page = ada.submit(f"/admin/workers/provider/{keyed_provider.pk}/change/", button="workers_provider_save_and_test")
    path = page.redirect_chain[-1][0]
    assert ada.get(path).status_code == 200
    assert alice_with("workers.change_provider", "workers.view_provider").get(path).status_code == 404


def test_a_tried_message_is_seen_by_who_wrote_it(
    ada: AdminClient, alice_with: Callable[..., AdminClient], defaults: None
) -> None:
    path = ada.post("/admin/chat/turn/try/", {"text": "a secret"})["Location"]
    assert alice_with("router.view_route").get(path).status_code == 404
    ticket = path.rstrip("/").rsplit("/", 1)[1]
    assert "a secret" in ada.get(f"/admin/chat/turn/try/?again={ticket}").content.decode()
    assert alice_with("router.view_route").get(f"/admin/chat/turn/try/?again={ticket}").status_code == 404


def test_a_test_takes_a_token_against_forgery(admin: User, keyed_provider: Provider) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    path = f"/admin/workers/provider/{keyed_provider.pk}/change/"
    assert client.post(path, {"workers_provider_save_and_test": "1"}).status_code == 403
    assert client.post("/admin/chat/turn/try/", {"text": "hello"}).status_code == 403


def test_what_is_not_in_the_form_is_not_taken(ada: AdminClient, defaults: None) -> None:
    route = Route.objects.get(name="summarise")
    ada.submit(f"/admin/router/route/{route.pk}/change/", title="T", is_default="on", id="99", author="1")
    assert Route.objects.get(is_default=True).name == "generate"
    assert str(Route.objects.get(pk=route.pk).changed_by) == "ada"


def test_nobody_makes_themselves_a_superuser(alice_with: Callable[..., AdminClient], alice: User) -> None:
    helper = alice_with("auth.change_user", "auth.view_user", "auth.add_user")
    helper.submit(f"/admin/auth/user/{alice.pk}/change/", is_superuser="on", first_name="Alice")
    helper.post("/admin/auth/user/add/", {"username": "mallory", "usable_password": "false", "is_superuser": "on"})
    assert not User.objects.filter(is_superuser=True).exists()


def test_nobody_takes_over_a_superuser(alice_with: Callable[..., AdminClient], admin: User) -> None:
    helper = alice_with("auth.change_user", "auth.view_user", "auth.delete_user")
    password = {"password1": "correct horse battery", "password2": "correct horse battery"}
    assert helper.post(f"/admin/auth/user/{admin.pk}/password/", password).status_code == 403
    assert helper.post(f"/admin/auth/user/{admin.pk}/change/", {"username": "ada2"}).status_code == 403
    assert helper.post(f"/admin/auth/user/{admin.pk}/delete/", {"post": "yes"}).status_code == 403


def test_nobody_gives_rights_to_a_group(alice_with: Callable[..., AdminClient]) -> None:
    group = Group.objects.create(name="helpers")
    helper = alice_with("auth.change_group", "auth.view_group")
    helper.submit(f"/admin/auth/group/{group.pk}/change/", permissions="1", name="Helpers")
    group.refresh_from_db()
    assert group.name == "Helpers"
    assert not group.permissions.exists()


def test_a_ticket_that_is_gone_is_said_to_be_gone(ada: AdminClient, keyed_provider: Provider) -> None:
    page = ada.get(f"/admin/workers/provider/{keyed_provider.pk}/trials/{'x' * 22}/")
    assert "kept for ten minutes" in page.content.decode()
    assert Trial.find("x" * 22) is None

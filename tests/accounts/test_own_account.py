"""The page of one's own account."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.db import OperationalError
from django.db.models.signals import pre_delete
from django.test import Client
from django.utils import timezone

from chatsite.accounts import leaving
from chatsite.chat.models import Conversation, Message, Turn
from chatsite.operations.audit import write_down
from router.models import AuditEntry, Decision
from tests.pages import rows
from workers.models import Completion

PASSWORD, NEW = "the rain in Spain", "a lantern in the fog"


@pytest.mark.parametrize("path", ["/account/", "/account/address/", "/account/password/", "/account/delete/"])
def test_it_is_for_those_who_are_signed_in(client: Client, db: None, path: str) -> None:
    for response in (client.get(path), client.post(path)):
        assert response.status_code == 405 or response["Location"] == f"/sign-in/?next={path}"


def test_a_new_password_takes_the_old_one_and_ends_other_sessions(page: Client, alice: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(alice)
    form = {"old_password": "nonsense", "new_password1": NEW, "new_password2": NEW}
    assert "was entered incorrectly" in page.post("/account/password/", form).content.decode()
    changed = page.post("/account/password/", form | {"old_password": PASSWORD}, follow=True)
    assert "Your password is changed" in changed.content.decode()
    assert get_user(page) == alice
    assert not get_user(elsewhere).is_authenticated


def test_who_came_by_a_link_chooses_a_first_password(page: Client, alice: User) -> None:
    alice.set_unusable_password()
    alice.save()
    page.force_login(alice)
    assert "Choose one" in page.get("/account/").content.decode()
    page.post("/account/password/", {"new_password1": NEW, "new_password2": NEW})
    alice.refresh_from_db()
    assert alice.check_password(NEW)


def test_another_address_takes_the_password(page: Client, alice: User) -> None:
    form = {"email": "alice@example.net", "confirmation": "nonsense"}
    assert "This is not your password." in page.post("/account/address/", form).content.decode()
    page.post("/account/address/", form | {"confirmation": PASSWORD, "is_superuser": "on"})
    alice.refresh_from_db()
    assert (alice.email, alice.is_superuser) == ("alice@example.net", False)


def test_everything_goes_with_an_account(page: Client, alice: User, bob: User) -> None:
    rows.turn(alice, "My secret", "Yours")
    open_turn = rows.turn(alice, "Another", status="queued")
    kept = rows.turn(bob, "Not mine")
    assert "This is not your password." in page.post("/account/delete/", {"confirmation": "x"}).content.decode()
    response = page.post("/account/delete/", {"confirmation": PASSWORD})
    assert "Your account is deleted" in response.content.decode()
    assert not get_user(page).is_authenticated
    assert not User.objects.filter(username="alice").exists()
    for model, pk in ((Conversation, kept.conversation_id), (Turn, kept.pk), (Completion, kept.completion_id)):
        assert [row.pk for row in model._default_manager.all()] == [pk]
    assert [decision.pk for decision in Decision.objects.all()] == [kept.decision_id]
    assert not Message.objects.exclude(conversation=kept.conversation_id).exists()
    assert open_turn.completion_id != kept.completion_id


def test_the_last_one_who_may_do_everything_stays(client: Client, admin: User) -> None:
    client.force_login(admin)
    response = client.post("/account/delete/", {"confirmation": PASSWORD})
    assert response.status_code == 409
    assert "Make somebody else a superuser first" in response.content.decode()
    assert User.objects.filter(pk=admin.pk).exists()
    User.objects.create_superuser("second")
    client.post("/account/delete/", {"confirmation": PASSWORD})
    assert not User.objects.filter(pk=admin.pk).exists()


def test_an_owner_is_shown_the_first_steps_until_they_are_done_or_put_away(
    client: Client, admin: User, alice: Any, defaults: None
) -> None:
    client.force_login(alice)
    assert "First steps" not in client.get("/").content.decode()
    client.force_login(admin)
    shown = client.get("/").content.decode()
    assert 'href="/admin/workers/provider/add/">Connect a generative model' in shown
    assert "Invite people<span" in shown  # done: Alice is here
    User.objects.filter(pk=alice.pk).update(last_login=None)  # as one that no person uses
    assert "Invite people<span" not in client.get("/").content.decode()
    rows.model()
    assert "Connect a generative model<span" in client.get("/").content.decode()
    client.post("/account/first-steps/hide/")
    assert "First steps" not in client.get("/").content.decode()


def test_an_account_goes_while_something_of_it_is_deleted_and_still_written(page: Client, alice: User) -> None:
    turn = rows.turn(alice, status="running", person=alice)
    Conversation.objects.update(deleted_at=timezone.now())
    assert "Your account is deleted" in page.post("/account/delete/", {"confirmation": PASSWORD}).content.decode()
    assert not User.objects.filter(username="alice").exists()
    assert turn.completion_id
    assert not Completion.objects.filter(pk=turn.completion_id).exists()


@pytest.mark.django_db(transaction=True)
def test_an_account_goes_although_something_of_it_is_stored_at_that_moment(page: Client, alice: User) -> None:
    tried: list[None] = []

    def store(**_: Any) -> None:
        tried.append(None)
        if len(tried) == 1:
            raise OperationalError("deadlock detected")
        pre_delete.disconnect(store, User)
        Conversation.objects.create(user=alice)

    pre_delete.connect(store, User)
    assert "Your account is deleted" in page.post("/account/delete/", {"confirmation": PASSWORD}).content.decode()
    assert not User.objects.filter(username="alice").exists()


def test_what_an_admin_did_outlives_the_account_without_a_name(client: Client, admin: User, alice: Any) -> None:
    second = User.objects.create_superuser("second", email="second@example.org")
    client.force_login(second)
    client.post("/admin/auth/group/add/", {"name": "Lawyers", "limits-TOTAL_FORMS": 0, "limits-INITIAL_FORMS": 0})
    write_down(admin, User, str(second.pk), "second", "Gave rights.")
    AuditEntry.objects.create(actor=second, action=AuditEntry.Action.PUBLISH, text="Published revision 1.")
    done, number = LogEntry.objects.get(user=second), second.pk
    leaving.delete_account(second)
    done.refresh_from_db()
    former = done.user
    assert (former.username, former.email, former.is_active) == (f"former person {number}", "", False)
    assert (former.is_superuser, former.has_usable_password()) == (False, False)
    assert AuditEntry.objects.get().actor == former
    assert "second" not in str(LogEntry.objects.values()) + str(User.objects.values())
    client.force_login(admin)
    assert former.username in client.get("/admin/admin/logentry/").content.decode()
    chosen = {"action": "delete_selected", "_selected_action": [former.pk], "post": "yes"}
    client.post("/admin/auth/user/", chosen)
    assert User.objects.filter(pk=former.pk).exists()

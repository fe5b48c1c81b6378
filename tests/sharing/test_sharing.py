"""Links by which others read a conversation: what they show, to whom, and that they can be taken back."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatsite.chat import ratings, turns
from chatsite.chat.models import Conversation, Message, Turn
from chatsite.sharing.models import Share
from tests.pages import rows
from tests.sessions import browser_of
from workers.jobs import Job

EVIL = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def turn(alice: Any) -> Turn:
    rows.revision()
    return rows.turn(alice, "My question", "The answer")


def share(turn: Turn) -> str:
    """The path of the link to a conversation as it is now."""
    owner = browser_of(turn.conversation.user)
    response = owner.post(reverse("conversation-share", args=[turn.conversation_id]), follow=True)
    found = Share.objects.get(conversation=turn.conversation_id)
    address = reverse("shared", args=[found.token])
    assert f'value="http://testserver{address}"' in response.content.decode()
    return address


def test_members_read_what_is_shared_and_can_do_nothing_to_it(turn: Turn, bob: Any) -> None:
    rows.reply(turn.message, "Another wording of it")
    address = share(turn)
    response = browser_of(bob).get(address)
    content = response.content.decode()
    assert "My question" in content
    assert "Another wording of it" in content
    assert "The answer" not in content  # it is on another branch
    assert "Shared by alice" in content
    assert response["Cache-Control"] == "no-store, private"
    assert response["Referrer-Policy"] == "no-referrer"
    assert "noindex" in response["X-Robots-Tag"]
    for word in ("<form", '<button type="submit', "formaction", "Small model", "Why?", "/replies/", "/messages/"):
        assert word not in content
    assert browser_of(bob).post(address).status_code == 405
    for view in ("conversation", "conversation-json", "conversation-share"):
        assert browser_of(bob).get(reverse(view, args=[turn.conversation_id])).status_code == 404
    assert browser_of(bob).get(reverse("reply-text", args=[turn.pk])).status_code == 404


def test_a_link_shows_what_was_there_until_it_is_brought_up_to_date(turn: Turn, alice: Any, bob: Any) -> None:
    address = share(turn)
    later = rows.turn(alice, "A later question", "A later answer", conversation=turn.conversation, parent=turn.reply)
    Conversation.objects.update(leaf=later.reply, title="A later title")
    content = browser_of(bob).get(address).content.decode()
    assert "later" not in content
    page = browser_of(alice).get(reverse("conversation-share", args=[turn.conversation_id])).content.decode()
    assert "What has been said since is not shown." in page
    assert share(turn) == address
    content = browser_of(bob).get(address).content.decode()
    assert "A later answer" in content
    assert "A later title" in content


def test_what_the_owner_thinks_of_an_answer_is_not_shared(turn: Turn, alice: Any, bob: Any) -> None:
    ratings.rate(alice, reply_id=turn.pk, value="down", reason="Nonsense again")
    content = browser_of(bob).get(share(turn)).content.decode()
    assert "The answer" in content
    assert "Nonsense again" not in content


def test_an_answer_that_is_still_being_written_is_not_shared(turn: Turn, alice: Any, bob: Any) -> None:
    rows.turn(alice, "Waiting", status=Job.Status.RUNNING, conversation=turn.conversation, parent=turn.reply)
    content = browser_of(bob).get(share(turn)).content.decode()
    assert "Waiting" in content
    assert "data-open" not in content


def test_a_failed_answer_names_nothing_that_is_for_staff(admin: Any, bob: Any) -> None:
    failed = rows.turn(admin, "Question", "", status=Job.Status.FAILED, error_code="provider_refused")
    content = browser_of(bob).get(share(failed)).content.decode()
    assert "refused the request" in content
    assert "/admin/" not in content
    assert "In the logs" not in content
    assert "Try again" not in content


@pytest.mark.parametrize("how", ["revoked", "deleted", "purged", "left", "off"])
def test_there_is_nothing_behind_a_link_any_more(turn: Turn, alice: Any, bob: Any, how: str, settings: Any) -> None:
    address = share(turn)
    match how:
        case "revoked":
            gone = reverse("conversation-revoke", args=[turn.conversation_id])
            assert browser_of(bob).post(gone).status_code == 404
            assert browser_of(alice).get(gone).status_code == 405
            assert browser_of(bob).get(address).status_code == 200
            assert browser_of(alice).post(gone).status_code == 302
        case "deleted":
            Conversation.objects.update(deleted_at=timezone.now())
        case "purged":
            turn.conversation.delete()
        case "left":
            alice.is_active = False
            alice.save()
        case "off":
            settings.SHARE_LINKS = "off"
    assert browser_of(bob).get(address).status_code == 404


def test_a_new_link_is_another_one(turn: Turn, alice: Any) -> None:
    first = share(turn)
    browser_of(alice).post(reverse("conversation-revoke", args=[turn.conversation_id]))
    assert share(turn) != first


def test_without_an_account_one_is_asked_to_sign_in_whatever_the_link(turn: Turn, client: Client) -> None:
    for address in (share(turn), reverse("shared", args=["nonsense"])):
        assert client.get(address)["Location"] == f"{reverse('sign-in')}?next={address}"


def test_public_links_are_read_without_an_account_and_name_nobody(turn: Turn, client: Client, settings: Any) -> None:
    settings.SHARE_LINKS = "public"
    content = client.get(share(turn)).content.decode()
    assert "The answer" in content
    assert "alice" not in content
    for token in ("nonsense", "x" * 5000, "%00", "' OR 1=1--"):
        assert client.get(reverse("shared", args=[token])).status_code == 404


def test_where_sharing_is_off_nothing_offers_it(turn: Turn, alice: Any, settings: Any) -> None:
    settings.SHARE_LINKS = "off"
    browser, address = browser_of(alice), reverse("conversation-share", args=[turn.conversation_id])
    assert address not in browser.get(reverse("conversation-menu", args=[turn.conversation_id])).content.decode()
    assert browser.get(address).status_code == browser.get(reverse("shared-links")).status_code == 404
    assert "Shared links" not in browser.get(reverse("conversations")).content.decode()


def test_ones_links_are_listed_and_revoked_there(turn: Turn, alice: Any, bob: Any) -> None:
    share(turn)
    share(rows.turn(bob, "Bob's"))
    Conversation.objects.filter(user=alice).update(title=EVIL)
    share(turn)
    browser = browser_of(alice)
    content = browser.get(reverse("shared-links")).content.decode()
    assert "&lt;img" in content
    assert "<img" not in content
    assert "Bob&#x27;s" not in content
    gone = browser.post(reverse("conversation-revoke", args=[turn.conversation_id]), {"list": "1"}, follow=True)
    assert "You share nothing." in gone.content.decode()


def test_markup_stays_text(alice: Any, bob: Any) -> None:
    content = browser_of(bob).get(share(rows.turn(alice, EVIL, f"{EVIL} [x](javascript:alert(1))"))).content.decode()
    assert "<img" not in content
    assert 'href="javascript' not in content


def test_an_empty_conversation_is_not_shared(alice: Any) -> None:
    empty = Conversation.objects.create(user=alice)
    response = browser_of(alice).post(reverse("conversation-share", args=[empty.pk]))
    assert response.status_code == 400
    assert "There is nothing to share yet." in response.content.decode()


def test_sharing_needs_an_account_and_ones_own_conversation(turn: Turn, client: Client, bob: Any) -> None:
    for view in ("conversation-share", "conversation-revoke"):
        address = reverse(view, args=[turn.conversation_id])
        assert client.post(address)["Location"].startswith(reverse("sign-in"))
        assert browser_of(bob).post(address).status_code == 404
    assert client.get(reverse("shared-links"))["Location"].startswith(reverse("sign-in"))
    assert not Share.objects.exists()


def test_what_is_shared_does_not_stand_in_the_way_of_going_on(turn: Turn, alice: Any) -> None:
    share(turn)
    assert turns.submit(alice, text="And then?", conversation_id=turn.conversation_id)


def test_a_link_can_end_at_any_message(turn: Turn, bob: Any) -> None:
    rows.turn(turn.conversation.user, "Not for others", "Nor this", conversation=turn.conversation, parent=turn.reply)
    owner = browser_of(turn.conversation.user)
    page = owner.get(reverse("message-share", args=[turn.pk]), follow=True)
    assert "It ends with this answer:" in page.content.decode()
    address = reverse("conversation-share", args=[turn.conversation_id])
    elsewhere = rows.turn(turn.conversation.user)
    for until in (elsewhere.pk, rows.turn(bob).pk, "nonsense"):
        assert owner.post(address, {"until": until}).status_code == 404
    owner.post(address, {"until": turn.pk})
    content = browser_of(bob).get(reverse("shared", args=[Share.objects.get().token])).content.decode()
    assert "The answer" in content
    assert "Not for others" not in content
    words = owner.get(address).content.decode()
    assert "It was made to end at a message; what comes after that is not shown." in words
    assert "It ends with this answer: <q" in words
    assert ("Show all of it" in words, "Bring it up to date" in words) == (True, False)
    owner.post(address, {"until": turn.message_id})
    content = browser_of(bob).get(reverse("shared", args=[Share.objects.get().token])).content.decode()
    assert ("My question" in content, "The answer" in content) == (True, False)


def test_what_a_link_shows_of_files_is_said_before(turn: Turn) -> None:
    owner, address = browser_of(turn.conversation.user), reverse("conversation-share", args=[turn.conversation_id])
    words = "Of files that were sent, the names are shown"
    assert words not in owner.get(address).content.decode()
    Message.objects.filter(pk=turn.message_id).update(attachment_count=1)
    assert words in owner.get(address).content.decode()
    Message.objects.filter(pk=turn.message_id).update(attachment_count=0)
    user = turn.conversation.user
    later = rows.turn(user, "With a file", conversation=turn.conversation, parent=turn.reply)
    Message.objects.filter(pk=later.message_id).update(attachment_count=1)
    assert words in owner.get(address).content.decode()
    assert words not in owner.get(address, {"until": turn.pk}).content.decode()
    owner.post(address, {"until": turn.pk})
    assert words not in owner.get(address).content.decode()

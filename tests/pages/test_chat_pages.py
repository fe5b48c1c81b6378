"""The chat as plain pages: what works without a script, and what belongs to whom."""

from __future__ import annotations

import html
import uuid
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatsite.chat.models import Conversation, Message, Turn
from chatsite.chat.starters import STARTERS
from tests.pages import rows


def url_of(turn: Turn) -> str:
    return reverse("conversation", args=[turn.conversation_id])


def test_a_first_message_begins_a_conversation(page: Client, alice: Any) -> None:
    response = page.post("/", {"text": "Hello there", "client_id": str(uuid.uuid4())})
    turn = Turn.objects.get(conversation__user=alice)
    assert (turn.message.text, turn.status) == ("Hello there", "queued")
    assert response.status_code == 302
    assert response["Location"] == url_of(turn)


def test_another_message_goes_at_the_end(page: Client, alice: Any) -> None:
    first = rows.turn(alice)
    page.post(url_of(first), {"text": "And then?"})
    assert Message.objects.get(text="And then?").parent == first.reply


def test_a_form_that_is_posted_twice_sends_once(page: Client) -> None:
    form = {"text": "Hello", "client_id": page.get("/").context["client_id"]}
    assert page.post("/", form)["Location"] == page.post("/", form)["Location"]
    assert Turn.objects.count() == 1


def test_the_chosen_route_is_asked_for(page: Client) -> None:
    page.post("/", {"text": "Hello", "route": "summarise"})
    assert Turn.objects.get().wanted_route == "summarise"


def test_a_page_with_an_open_answer_comes_back_by_itself_without_a_script(page: Client, alice: Any) -> None:
    refresh = '<noscript><meta http-equiv="refresh"'
    assert refresh in page.get(url_of(rows.undecided(alice))).content.decode()
    assert refresh not in page.get(url_of(rows.turn(alice))).content.decode()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"text": ""}, "Write something first."),
        ({"text": " \n\t "}, "Write something first."),
        ({}, "Write something first."),
        ({"text": "kept", "route": "nonsense"}, "There is no route /nonsense."),
        ({"text": "/nonsense kept"}, "There is no route /nonsense."),
        ({"text": "kept" + "ä" * 1_000_000}, "It is 4 bytes over the limit of 2 MB."),
    ],
)
def test_what_is_refused_stays_beside_the_reason(page: Client, form: dict[str, str], words: str) -> None:
    response = page.post("/", form)
    assert response.status_code == 400
    assert words in response.context["error"]
    assert response.context["error"] in response.content.decode()
    assert f"\n{form.get('text', '')}</textarea>" in response.content.decode()
    assert not Turn.objects.exists()


def test_markup_that_is_refused_stays_text(page: Client) -> None:
    content = page.post("/", {"text": "</textarea><script>alert(1)</script>", "route": "no"}).content.decode()
    assert "<script>" not in content
    assert "&lt;/textarea&gt;" in content


def test_a_malformed_client_id_is_no_obstacle(page: Client) -> None:
    assert page.post("/", {"text": "Hello", "client_id": "<nonsense>"}).status_code == 302


def test_the_empty_chat_offers_things_to_try(page: Client) -> None:
    content = page.get("/").content.decode()
    for starter in STARTERS:
        assert str(starter.title) in content
        assert f"\n{starter.text}</textarea>" in page.get(f"/?try={starter.name}").content.decode()


def test_without_a_generative_model_the_owner_is_told_where_to_connect_one(
    page: Client, client: Client, admin: Any
) -> None:
    link = reverse("admin:workers_provider_add")
    assert link not in page.get("/").content.decode()
    client.force_login(admin)
    assert link in client.get("/").content.decode()
    rows.model()
    assert link not in client.get("/").content.decode()


def test_the_sidebar_lists_ones_own_conversations(page: Client, alice: Any, bob: Any) -> None:
    rows.turn(alice, "My question")
    rows.turn(bob, "Somebody else's question")
    content = page.get("/").content.decode()
    assert "My question" in content
    assert "Somebody else" not in content


def test_what_a_script_fetches_is_not_seen_by_that(page: Client, alice: Any) -> None:
    shown = rows.turn(alice).conversation
    Conversation.objects.update(ready_at=timezone.now())
    page.get(reverse("conversation", args=[shown.pk]), headers={"X-Script": "1"})
    assert Conversation.objects.get().ready_at
    page.get(reverse("conversation", args=[shown.pk]))
    assert not Conversation.objects.get().ready_at


def test_stopping_and_asking_again_work_without_a_script(page: Client, alice: Any) -> None:
    turn = rows.undecided(alice)
    assert page.post(reverse("reply-stop", args=[turn.pk]))["Location"] == url_of(turn)
    turn.refresh_from_db()
    assert turn.status == "cancelled"
    assert page.post(reverse("reply-again", args=[turn.pk]))["Location"] == url_of(turn)
    assert Turn.objects.filter(message=turn.message).count() == 2


def test_asking_again_too_early_is_refused_on_the_page(page: Client, alice: Any) -> None:
    response = page.post(reverse("reply-again", args=[rows.undecided(alice).pk]))
    assert response.status_code == 400
    assert "Stop it first" in response.content.decode()


def test_the_text_of_an_answer_is_plain_text(page: Client, alice: Any) -> None:
    response = page.get(reverse("reply-text", args=[rows.turn(alice, answer="<b>**bold**</b>").pk]))
    assert response.content == b"<b>**bold**</b>"
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_the_text_of_an_answer_that_is_not_there_is_empty(page: Client, alice: Any) -> None:
    assert page.get(reverse("reply-text", args=[rows.undecided(alice).pk])).content == b""


CONVERSATION_PAGES = [
    ("conversation", "get"),
    ("conversation", "post"),
    ("conversation-menu", "get"),
    ("conversation-rename", "post"),
    ("conversation-pin", "post"),
    ("conversation-archive", "post"),
    ("conversation-tags", "post"),
    ("conversation-delete", "post"),
    ("conversation-restore", "post"),
]
REPLY_PAGES = [
    ("message-choose", "post"),
    ("message-edit", "get"),
    ("message-edit", "post"),
    ("reply-stop", "post"),
    ("reply-again", "post"),
    ("reply-continue", "post"),
    ("reply-compare", "post"),
    ("reply-rate", "get"),
    ("reply-rate", "post"),
    ("reply-text", "get"),
]


def test_earlier_messages_of_somebody_else_do_not_exist(page: Client, alice: Any, bob: Any) -> None:
    turn = rows.turn(bob, "Bob's question", "Bob's answer")
    address = reverse("conversation-earlier", args=[turn.conversation_id, turn.pk])
    assert page.get(address).status_code == 404
    page.logout()
    assert page.get(address)["Location"].startswith(reverse("sign-in"))
    mine = reverse("conversation-earlier", args=[rows.turn(alice).conversation_id, turn.pk])
    page.force_login(alice)
    assert "Bob's" not in html.unescape(page.get(mine).content.decode())


@pytest.mark.parametrize(("view", "method"), CONVERSATION_PAGES + REPLY_PAGES)
@pytest.mark.parametrize("whose", ["bob's", "nobody's"])
def test_what_is_not_ones_own_does_not_exist(page: Client, bob: Any, view: str, method: str, whose: str) -> None:
    turn = rows.turn(bob, "Bob's question", "Bob's answer")
    bobs_id = turn.conversation_id if (view, method) in CONVERSATION_PAGES else turn.pk
    address = reverse(view, args=[bobs_id if whose == "bob's" else uuid.uuid4()])
    response = getattr(page, method)(address, {"text": "mine now", "title": "mine now"})
    assert response.status_code == 404
    assert "Bob's" not in html.unescape(response.content.decode())
    assert (Turn.objects.get(), Conversation.objects.get().title) == (turn, "Bob's question")


@pytest.mark.parametrize(("view", "method"), CONVERSATION_PAGES + REPLY_PAGES)
def test_those_who_are_not_signed_in_are_asked_to(client: Client, alice: Any, view: str, method: str) -> None:
    turn = rows.turn(alice)
    address = reverse(view, args=[turn.conversation_id if (view, method) in CONVERSATION_PAGES else turn.pk])
    response = getattr(client, method)(address)
    assert response["Location"] == f"{reverse('sign-in')}?next={address}"
    assert Turn.objects.count() == 1


@pytest.mark.parametrize(
    "view",
    [
        view
        for view, method in CONVERSATION_PAGES + REPLY_PAGES
        if method == "post" and (view, "get") not in CONVERSATION_PAGES + REPLY_PAGES
    ],
)
def test_nothing_changes_by_following_a_link(page: Client, alice: Any, view: str) -> None:
    turn = rows.turn(alice)
    address = reverse(view, args=[turn.conversation_id if view.startswith("conversation") else turn.pk])
    assert page.get(address).status_code == 405


def test_forms_need_their_token(alice: Any) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    response = strict.post("/", {"text": "forged"})
    assert response.status_code == 403
    assert "This form has expired" in response.content.decode()
    assert not Turn.objects.exists()


def test_a_request_beyond_all_limits_gets_words(page: Client) -> None:
    response = page.post("/", {"text": "x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)})
    assert response.status_code == 413
    assert "A message can have up to 2 MB" in response.content.decode()

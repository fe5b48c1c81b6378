"""Looking for words in all that one wrote and got: what is found, by whom, and how it is shown."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatsite.chat.models import Conversation, Message, Turn
from chatsite.documents.models import Attachment
from chatsite.search import searching, terms
from chatsite.search.models import Entry
from chatsite.search.sources import PART
from tests.pages import rows
from workers.jobs import Job
from workers.models import Completion


def found(user: Any, text: str) -> list[str]:
    """The titles of the conversations in which something is found."""
    return [str(hit.conversation) for hit in searching.search(user, text).hits]


def attached(turn: Turn, name: str, text: str) -> Attachment:
    """A file that was sent with the message of a turn, as it is when it has been read."""
    now = timezone.now()
    sent = {"conversation": turn.conversation, "message": turn.message, "owner": turn.conversation.user}
    return Attachment.objects.create(
        **sent, name=name, text=text, kind="text", size=1, status="done", finished_at=now, started_at=now
    )


def places(user: Any, text: str) -> list[str]:
    return [str(hit.excerpt) for hit in searching.search(user, text).hits if hit.message_id]


def test_titles_messages_and_answers_are_found(alice: Any) -> None:
    turn = rows.turn(alice, "Where is the harbour?", "Beside the old pier.")
    Conversation.objects.update(title="Ships")
    assert [(hit.message_id, hit.is_answer) for hit in searching.search(alice, "harbour").hits] == [
        (turn.message_id, False)
    ]
    assert [(hit.message_id, hit.is_answer) for hit in searching.search(alice, "pier").hits] == [(turn.pk, True)]
    assert [hit.message_id for hit in searching.search(alice, "ships").hits] == [None]
    assert found(alice, "Where is the harbour Ships") == []  # what is found stands in one place


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("crepes", True),
        ("CRÊPES", True),
        ("kundigung", True),
        ("Kündigungsfr", True),
        ("frist", False),
        ("snake_case", True),
        ("case snake", True),
        ('"snake case"', True),
        ('"case snake"', False),
        ('"snak"', False),
        ("„snake case“", True),
        ("foo.bar@example.org", True),
        ("日本", True),
        ("привет", True),
        ("42", True),
        ("and or not", False),
    ],
)
def test_the_beginning_of_a_word_is_enough_and_accents_do_not_matter(alice: Any, query: str, is_found: bool) -> None:
    rows.turn(alice, "Crêpes? Kündigungsfrist! my snake_case, 42; foo.bar@example.org 日本語 Привет", "")
    Conversation.objects.update(title="")
    assert bool(found(alice, query)) is is_found


@pytest.mark.parametrize(
    "query",
    [
        *("", "   ", "%", '"', '""', "*", "a* OR b", "NEAR(a b)", "text : x", "-x", "^x", "(", "'; --", "\\", "AND"),
        *("x AND", "{x}", "a:b:*&|!<->", "\ud800", "\0x", "%" * 100_000, "é" * 5000),
    ],
)
def test_whatever_is_asked_is_harmless(page: Client, alice: Any, query: str) -> None:
    rows.turn(alice, "Hello", "Hello to you")
    response = page.get(reverse("search"), {"q": query.encode("utf-8", "replace")})
    assert response.status_code == 200
    assert len(response.context["query"]) <= terms.MOST_CHARACTERS


def test_what_belongs_to_others_or_was_deleted_is_not_found(page: Client, alice: Any, bob: Any) -> None:
    turn = rows.turn(alice, "The harbour")
    theirs = rows.turn(bob, "The harbour of Bob")
    assert found(bob, "harbour") == ["The harbour of Bob"] * 2
    assert found(alice, f"harbour {bob.pk}") == []
    assert found(alice, "harbour") == ["The harbour"] * 2
    assert page.get(reverse("found", args=[theirs.message_id])).status_code == 404
    Conversation.objects.filter(pk=turn.conversation_id).update(deleted_at=timezone.now())
    assert found(alice, "harbour") == []
    turn.conversation.delete()
    assert not Entry.objects.filter(user=alice).exists()


def test_archived_conversations_are_found_and_marked(page: Client, alice: Any) -> None:
    rows.turn(alice, "The harbour")
    Conversation.objects.update(archived_at=timezone.now())
    assert "archived" in page.get(reverse("search"), {"q": "harb"}).content.decode()


def test_the_index_follows_what_is_written_in_whatever_way(alice: Any) -> None:
    turn = rows.turn(alice, "Hello", "", status=Job.Status.RUNNING)
    completion = turn.completion
    assert completion
    Completion.objects.filter(pk=completion.pk).update(text="half of the walrus")
    assert found(alice, "walrus") == []  # it is still being written
    assert completion.close(Job.Status.DONE, text="The whole walrus")
    assert places(alice, "walrus") == ["The whole <mark>walrus</mark>"]
    Completion.objects.filter(pk=completion.pk).update(text="A narwhal")
    Conversation.objects.update(title="Whales")
    Message.objects.filter(role="user").update(text="Which animal?")
    assert (found(alice, "walrus"), found(alice, "hello")) == ([], [])
    assert found(alice, "narwhal") == found(alice, "animal") == found(alice, "whales") == ["Whales"]
    Message.objects.bulk_create(
        [Message(conversation=turn.conversation, role="user", user=alice, text="In bulk", parent=turn.reply)]
    )
    assert places(alice, "bulk") == ["In <mark>bulk</mark>"]


def test_files_are_found_by_their_names_and_their_texts_where_they_were_sent(
    page: Client, alice: Any, bob: Any
) -> None:
    turn = rows.turn(alice, "Look at this", "")
    theirs = attached(rows.turn(bob, "And at this", ""), "walrus.txt", "Of Bob")
    mine = attached(turn, "Walrus <b>report</b>.txt", "word " * (PART // 5) + "The tusk of a narwhal")
    assert [(hit.message_id, hit.is_answer) for hit in searching.search(alice, "narwhal").hits] == [
        (turn.message_id, False)
    ]
    content = page.get(reverse("search"), {"q": "walrus report"}).content.decode()
    assert "In your file <mark>Walrus</mark> &lt;b&gt;<mark>report</mark>&lt;/b&gt;.txt" in content
    assert [hit.file_name for hit in searching.search(bob, "walrus").hits] == ["<mark>walrus</mark>.txt"]
    Message.objects.filter(role="user").update(text="Said otherwise")
    Attachment.objects.filter(pk=mine.pk).update(text="A beluga")
    assert (found(alice, "narwhal"), len(found(alice, "beluga")), len(found(alice, "otherwise"))) == ([], 1, 1)
    Attachment.objects.filter(pk=mine.pk).update(message=None)  # it is in a draft
    assert found(alice, "beluga") == []
    theirs.delete()
    assert found(bob, "walrus") == []


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("한국어 공부", "한국"),
        ("한국어 공부", unicodedata.normalize("NFD", "한국")),
        ("がんばって", "がんば"),
        ("ガイドブック", "ガイド"),
        ("Это мой дом", "мой"),
        ("Где ёлка?", "ёлк"),
        ("Η οδός Αθηνάς", "Οδός"),
        ("मैं हिन्दी बोलता हूँ", "हिन्दी"),
        ("मैं हिन्दी बोलता हूँ", '"हिन्दी बोलता"'),
        ("বাংলা ভাষা", "বাংলা"),
        ("தமிழ் மொழி", "தமிழ்"),
        ("العَرَبِيَّة لغة", "العَرَبِيَّة"),
        ("שָׁלוֹם עולם", "שָׁלוֹם"),
    ],
)
def test_words_of_every_script_are_found_as_they_are_written(alice: Any, text: str, query: str) -> None:
    rows.turn(alice, text, "")
    Conversation.objects.update(title="")
    [place] = places(alice, query)
    assert "<mark>" in place
    assert not any(found(alice, other) for other in ("하고요", "かんば", "мир", "हर", "שלג"))


def test_every_part_of_a_long_message_is_found(alice: Any) -> None:
    text = "word " * (PART // 5) + "needle " + "word " * (PART // 5) + "thread"
    rows.turn(alice, text, "")
    assert places(alice, "needle")[0].startswith("<mark>needle</mark> word")
    assert places(alice, "thread")[0].endswith("word <mark>thread</mark>")
    assert len(found(alice, "thread")) == 1


@pytest.mark.django_db(transaction=True)
def test_a_migration_loses_nothing(alice: Any) -> None:
    attached(rows.turn(alice, "The harbour", "The pier"), "quay.txt", "A crane")
    call_command("migrate", "search", "0001", verbosity=0)
    attached(rows.turn(alice, "A dune", "A jetty"), "dyke.txt", "A winch")
    call_command("migrate", "search", "zero", verbosity=0)
    rows.turn(alice, "A lighthouse", "A buoy")
    call_command("migrate", verbosity=0)
    words = ("harbour", "pier", "quay", "crane", "dune", "jetty", "dyke", "winch", "lighthouse", "buoy")
    for word in words:
        assert found(alice, word)
    rows.turn(alice, "An anchor")
    assert found(alice, "anchor")


@pytest.mark.skipif(connection.vendor == "postgresql", reason="PostgreSQL changes tables where they are")
@pytest.mark.django_db(transaction=True)
def test_tables_that_are_searched_can_be_made_anew(alice: Any) -> None:
    from chatsite.search import index

    index.make_way()
    with connection.schema_editor() as editor:
        field = Conversation._meta.get_field("title")
        editor._remake_table(Conversation, alter_fields=[(field, field)])  # type: ignore[attr-defined]
    rows.turn(alice, "Written meanwhile")
    index.keep_up()
    assert found(alice, "meanwhile")


def test_the_place_is_shown_with_markup_as_text(page: Client, alice: Any) -> None:
    attack = '<img src=x onerror="alert(1)">'
    rows.turn(alice, f"{'before ' * 40}{attack} harbour {attack}{' after' * 60}", f"**Bold** `code` {attack} harbour")
    Conversation.objects.update(title=f"{attack} harbour")
    content = page.get(reverse("search"), {"q": f"harbour {attack}"}).content.decode()
    assert page.get(reverse("search"), {"q": "harbour"}).content.decode().count("<mark>harbour</mark>") == 5
    assert "<img" not in content
    message, answer = sorted(places(alice, "harbour"), key=len, reverse=True)
    assert message.startswith("…before")
    assert message.endswith("after…")
    assert answer == ("Bold code &lt;img src=x onerror=&quot;alert(1)&quot;&gt; <mark>harbour</mark>")


def test_accents_and_odd_letters_are_marked_where_they_stand(alice: Any) -> None:
    rows.turn(alice, "İstanbul ßtraße ﬁne: Crêpes au café", "")
    assert places(alice, "cafe") == ["İstanbul ßtraße ﬁne: Crêpes au <mark>café</mark>"]


def test_a_hit_leads_to_its_message_on_whichever_branch_it_is(page: Client, alice: Any) -> None:
    turn = rows.turn(alice, "Hello", "The first answer")
    again = rows.reply(turn.message, "The second answer")
    address = reverse("conversation", args=[turn.conversation_id])
    assert "The second answer" in page.get(address).content.decode()
    response = page.get(reverse("found", args=[turn.pk]))
    assert response["Location"] == f"{address}?from={turn.pk}#m-{turn.pk}"
    content = page.get(response["Location"]).content.decode()
    assert f'id="m-{turn.pk}"' in content
    assert f'id="m-{again.pk}"' not in content


def test_an_excerpt_is_text_and_not_markdown(alice: Any) -> None:
    rows.turn(alice, "And?", "## Ships\n\nThe *harbour* is 5 * 3 km wide.[^1]\n\n|a|b|\n|---|--:|\n\n- [x] seen `it`")
    assert places(alice, "harbour") == ["Ships The <mark>harbour</mark> is 5 * 3 km wide. a b seen it"]


def test_there_is_no_end_to_what_is_found_but_pages_have_one(page: Client, alice: Any) -> None:
    for number in range(searching.PAGE + 5):
        rows.turn(alice, f"harbour {number}", "")
    Conversation.objects.update(title="")
    first = page.get(reverse("search"), {"q": "harbour"}, headers={"X-Fragment": "1"})
    assert "<html" not in first.content.decode()
    older = first.context["hits"].older
    second = page.get(reverse("search"), {"q": "harbour", "before": older})
    both = [*first.context["hits"].hits, *second.context["hits"].hits]
    assert [hit.excerpt for hit in both] == [
        f"<mark>harbour</mark> {number}" for number in reversed(range(searching.PAGE + 5))
    ]
    assert second.context["hits"].older == ""
    assert page.get(reverse("search"), {"q": "harbour", "before": "nonsense"}).status_code == 200


@pytest.mark.parametrize("name", ["search", "found"])
def test_those_who_are_not_signed_in_are_asked_to(client: Client, alice: Any, name: str) -> None:
    address = reverse(name, args=[rows.turn(alice).pk] if name == "found" else [])
    assert client.get(address)["Location"].startswith(reverse("sign-in"))

"""The list of one's conversations, and what can be done to them, as plain pages and as frames to all tabs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatsite.chat import access, conversations, erasing
from chatsite.chat.feed import FEED
from chatsite.chat.listing import MOST_PINNED, PAGE
from chatsite.chat.models import Conversation, Message, Tag, Turn
from router.models import Decision
from tests.pages import rows
from workers import stream
from workers.connections import client as redis
from workers.connections import stream_key
from workers.models import Completion

JSON = {"Accept": "application/json"}
Post = Callable[..., Any]


@pytest.fixture
def post(page: Client, django_capture_on_commit_callbacks: Any) -> Post:
    """`post(view, conversation, **form)` as the script does it; gives the answer's JSON."""

    def post(view: str, conversation: Conversation, **form: Any) -> Any:
        with django_capture_on_commit_callbacks(execute=True):
            return page.post(reverse(f"conversation-{view}", args=[conversation.pk]), form, headers=JSON).json()

    return post


def conversation(user: Any, title: str = "Question", **fields: Any) -> Conversation:
    found = rows.turn(user, title).conversation
    Conversation.objects.filter(pk=found.pk).update(**fields)
    found.refresh_from_db()
    return found


def told(user: Any) -> list[dict[str, Any]]:
    """The frames that all tabs of a person have got."""
    entries = redis().xrange(FEED)
    return [orjson.loads(fields[b"frame"]) for _, fields in entries if fields[b"user"].decode() == str(user.pk)]


def titles(response: Any) -> list[str]:
    return [str(found) for found in response.context["page"].conversations]


def test_a_conversation_is_renamed_on_one_line_and_every_tab_hears_of_it(post: Post, alice: Any, bob: Any) -> None:
    mine = conversation(alice)
    frame = post("rename", mine, title="  A  <b>better</b>\ntitle " + "x" * 500)
    mine.refresh_from_db()
    assert mine.title == ("A <b>better</b> title " + "x" * 500)[:120]
    assert mine.named_at
    assert told(alice) == [frame]
    assert told(bob) == []
    assert (frame["type"], frame["state"], frame["title"]) == ("conversation", "listed", mine.title)
    assert "&lt;b&gt;better&lt;/b&gt;" in frame["html"]


def test_an_empty_title_changes_nothing(post: Post, alice: Any) -> None:
    mine = conversation(alice)
    post("rename", mine, title="  ")
    mine.refresh_from_db()
    assert (mine.title, mine.named_at) == ("Question", None)


def test_without_a_script_each_form_leads_back_to_a_page(page: Client, alice: Any) -> None:
    mine = conversation(alice)
    here = reverse("conversation", args=[mine.pk])
    for view in ("rename", "pin", "archive", "tags"):
        assert page.post(reverse(f"conversation-{view}", args=[mine.pk]), {"on": "1"})["Location"] == here
    deleted = page.post(reverse("conversation-delete", args=[mine.pk]))["Location"]
    assert reverse("conversation-restore", args=[mine.pk]) in page.get(deleted).content.decode()
    assert page.post(reverse("conversation-restore", args=[mine.pk]))["Location"] == here
    assert page.get(here).status_code == 200
    elsewhere = {"next": "//evil.example/"}
    assert page.post(reverse("conversation-archive", args=[mine.pk]), elsewhere)["Location"] == here


def test_the_list_is_in_groups_with_the_pinned_ones_first(page: Client, alice: Any) -> None:
    noon = timezone.localtime().replace(hour=12)
    for days, title in enumerate(("today", "yesterday", "two", "three")):
        conversation(alice, title, updated_at=noon - timedelta(days=days))
    conversation(alice, "eight", updated_at=noon - timedelta(days=8))
    conversation(alice, "kept", updated_at=noon - timedelta(days=90), pinned_at=noon)
    conversation(alice, "put away", archived_at=noon)
    conversation(alice, "gone", deleted_at=noon)
    groups = {group.name: [str(one) for one in group.conversations] for group in page.get("/").context["page"].groups}
    assert groups == {
        "pinned": ["kept"],
        "today": ["today"],
        "yesterday": ["yesterday"],
        "week": ["two", "three"],
        "older": ["eight"],
    }


def test_older_ones_come_a_page_at_a_time_whatever_happens_meanwhile(page: Client, alice: Any) -> None:
    same = timezone.now() - timedelta(days=30)  # even of the same moment, each comes once
    Conversation.objects.bulk_create(Conversation(user=alice, title=str(n), updated_at=same) for n in range(2 * PAGE))
    seen = titles(response := page.get("/"))
    conversation(alice, "in between")
    while older := response.context["page"].older:
        response = page.get(reverse("conversations"), {"before": older}, headers={"X-Fragment": "1"})
        assert "<html" not in response.content.decode()
        seen += titles(response)
    assert sorted(seen, key=int) == [str(n) for n in range(2 * PAGE)]


def test_those_that_are_too_many_to_be_above_the_others_are_among_them(page: Client, alice: Any) -> None:
    now, count = timezone.now(), MOST_PINNED + PAGE + 2
    Conversation.objects.bulk_create(
        Conversation(user=alice, title=str(n), pinned_at=now, updated_at=now - timedelta(days=n)) for n in range(count)
    )
    seen = titles(response := page.get("/"))
    seen += titles(page.get(reverse("conversations"), {"before": response.context["page"].older}))
    assert seen == [str(n) for n in range(count)]


@pytest.mark.parametrize("key", ["nonsense", "-", "9" * 400 + "-" + "0" * 32, "1-x", "%00"])
def test_a_key_that_means_nothing_is_as_good_as_none(page: Client, alice: Any, key: str) -> None:
    conversation(alice)
    assert titles(page.get(reverse("conversations"), {"before": key, "tag": key})) == ["Question"]


def test_archived_ones_have_a_list_of_their_own_and_come_back(post: Post, page: Client, alice: Any) -> None:
    mine = conversation(alice, pinned_at=timezone.now())
    assert post("archive", mine, on="1")["state"] == "archived"
    assert titles(page.get("/")) == []
    archive = page.get(reverse("conversations"), {"archive": "1"})
    assert titles(archive) == ["Question"]  # what was pinned stands among the others
    assert page.get(reverse("conversation", args=[mine.pk])).status_code == 200
    assert post("archive", mine)["state"] == "listed"
    assert titles(page.get("/")) == ["Question"]


def test_writing_in_an_archived_conversation_brings_it_back(page: Client, alice: Any) -> None:
    mine = conversation(alice, archived_at=timezone.now())
    page.post(reverse("conversation", args=[mine.pk]), {"text": "And then?"})
    assert titles(page.get("/")) == ["Question"]


def test_a_conversation_has_tags_and_is_found_by_them(post: Post, page: Client, alice: Any, bob: Any) -> None:
    mine, other = conversation(alice), conversation(alice, "Other")
    Tag.objects.create(user=bob, name="secret")
    frame = post("tags", mine, new=" Work , <b>odd</b>,, work")
    post("tags", other, tag=["WORK"])
    assert "&lt;b&gt;odd&lt;/b&gt;" in frame["tags"]
    assert "secret" not in frame["tags"]
    assert [str(tag) for tag in page.get("/").context["tags"]] == ["<b>odd</b>", "work"]
    odd = mine.tags.get(name="<b>odd</b>")
    assert titles(page.get(reverse("conversations"), {"tag": odd.pk})) == ["Question"]
    post("tags", mine, tag=["work"])
    assert Tag.objects.filter(user=alice).count() == 1  # what nothing has any more is gone
    bobs = Tag.objects.get(user=bob)
    assert titles(page.get(reverse("conversations"), {"tag": bobs.pk})) == titles(page.get("/"))


def test_too_many_tags_are_refused_in_words(post: Post, page: Client, alice: Any) -> None:
    mine = conversation(alice)
    names = ",".join(map(str, range(11)))
    assert post("tags", mine, new=names)["text"] == "A conversation can have up to 10 tags. Take one away first."
    response = page.post(reverse("conversation-tags", args=[mine.pk]), {"new": names})
    assert response.status_code == 400
    assert "up to 10 tags" in response.content.decode()
    assert not Tag.objects.exists()
    post("tags", mine, new="İş, iş, Straße, STRASSE")
    assert [str(tag) for tag in mine.tags.all()] == ["iş", "STRASSE"]  # each is one tag, in small letters or not
    mine.tags.all().delete()
    Tag.objects.bulk_create(Tag(user=alice, name=f"tag {n}") for n in range(100))
    assert post("tags", mine, new="one more")["code"] == "too_many_tags_in_all"


def test_what_is_deleted_is_nowhere_and_can_be_had_back(post: Post, page: Client, alice: Any) -> None:
    turn = rows.undecided(alice)
    mine = turn.conversation
    frame = post("delete", mine)
    assert (frame["state"], frame["title"], frame["html"]) == ("deleted", "Hello", "")
    assert told(alice) == [frame], "that an answer in it is stopped, no tab needs to hear"
    turn.refresh_from_db()
    assert turn.status == "cancelled"
    assert titles(page.get("/")) == []
    for address in (reverse("conversation", args=[mine.pk]), reverse("reply-text", args=[turn.pk])):
        assert page.get(address).status_code == 404
    conversations.purge()  # too early
    assert post("restore", mine)["state"] == "listed"
    assert post("restore", mine)["state"] == "listed"  # twice is no mistake
    assert titles(page.get("/")) == ["Hello"]


@pytest.fixture
def change(page: Client, django_capture_on_commit_callbacks: Any) -> Callable[..., Any]:
    """`change(action, conversations, **form)` as the form of a list does it; gives the page that it leads to."""

    def change(action: str, chosen: Iterable[Conversation] = (), **form: Any) -> Any:
        sent = {"action": action, "chosen": [str(one.pk) for one in chosen], **form}
        with django_capture_on_commit_callbacks(execute=True):
            return page.post(reverse("conversations-change"), sent, follow=True)

    return change


def test_many_are_archived_taken_out_and_deleted_at_once_and_every_tab_hears_of_it_once(
    change: Callable[..., Any], page: Client, alice: Any
) -> None:
    first, second = conversation(alice, "one", pinned_at=timezone.now()), conversation(alice, "two")
    conversation(alice, "three")
    after = change("archive", [first, second])
    assert titles(after) == ["three"]
    assert "2 conversations are archived." in after.content.decode()
    assert [frame["type"] for frame in told(alice)] == ["conversations"]
    undone = page.post(reverse("conversations-restore"), {"undo": after.context["undo"]}, follow=True)
    assert titles(undone) == ["one", "three", "two"]  # the pinned one is first again
    change("archive", [first, second])
    assert titles(change("unarchive", [first], archive="1")) == ["two"]
    after = change("delete", [first, second], archive="1")
    assert titles(after) == []
    assert after.redirect_chain[0][0].startswith("/conversations/?archive=1&undo=")
    assert set(access.deleted_conversations(alice)) == {first, second}
    page.post(reverse("conversations-restore"), {"undo": after.context["undo"], "archive": "1"})
    assert not access.deleted_conversations(alice).exists()
    edges = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")
    for nonsense in ({}, *({"undo": one} for one in ("x", "2026-13-45T99:00:00Z", "2026-01-01", *edges))):
        assert page.post(reverse("conversations-restore"), nonsense).status_code == 302
        assert page.get(reverse("conversations"), nonsense).status_code == 200


def test_what_is_being_answered_is_stopped_when_all_are_deleted_and_what_is_begun_meanwhile_goes_on(
    change: Callable[..., Any], alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    undecided, waiting = rows.undecided(alice), rows.turn(alice, status="queued")
    begun: list[Turn] = []

    def begin_another_and_append(*event: Any) -> None:
        if not begun:  # as another tab does while the first of them is told
            begun.append(rows.undecided(alice))
        append(*event)

    append = stream.append
    monkeypatch.setattr(stream, "append", begin_another_and_append)
    change("delete-all", confirmed="1")
    for turn in (undecided, waiting, begun[0]):
        turn.refresh_from_db()
    assert (undecided.status, waiting.answer.status, begun[0].status) == ("cancelled", "cancelled", "queued")
    assert list(access.conversations(alice)) == [begun[0].conversation]


def test_all_of_a_list_are_changed_after_one_more_question(
    change: Callable[..., Any], page: Client, alice: Any, bob: Any
) -> None:
    for number in range(PAGE + 2):
        conversation(alice, str(number))
    kept, theirs = conversation(alice, "archived", archived_at=timezone.now()), conversation(bob)
    asked = change("delete-all")
    assert f"Delete all {PAGE + 2} conversations?" in asked.content.decode()
    assert access.conversations(alice).count() == PAGE + 3
    after = change("delete-all", confirmed="1")
    assert list(access.conversations(alice)) == [kept]
    assert f"{PAGE + 2} conversations are deleted." in after.content.decode()
    page.post(reverse("conversations-restore"), {"undo": after.context["undo"]})
    tagged = access.conversations(alice).filter(archived_at=None).first()
    assert tagged
    change("tag", [tagged], tags="work")
    tag_id = tagged.tags.get().pk
    change("archive-all", tag=tag_id, confirmed="1")
    assert set(access.conversations(alice).exclude(archived_at=None)) == {kept, tagged}
    change("unarchive-all", archive="1", confirmed="1")
    assert not access.conversations(alice).exclude(archived_at=None).exists()
    theirs.refresh_from_db()
    assert not theirs.deleted_at
    assert change("nonsense").status_code == 400
    Tag.objects.all().delete()  # in another tab
    for form in ({}, {"confirmed": "1"}):
        gone = change("delete-all", tag=tag_id, **form)
        assert gone.status_code == 400
        assert "has this tag any more" in gone.content.decode()
    assert not access.deleted_conversations(alice).exists()


def test_many_get_a_tag_besides_their_own_unless_they_are_too_many(change: Callable[..., Any], alice: Any) -> None:
    first, second = conversation(alice), conversation(alice)
    change("tag", [first], tags="work")
    told = change("tag", [first, second], tags="home, WORK").content.decode()
    assert "2 conversations have these tags now." in told
    assert [sorted(map(str, one.tags.all())) for one in (first, second)] == [["home", "work"]] * 2
    refused = change("tag", [second, first], tags=",".join(map(str, range(9))))
    assert "A conversation can have up to 10 tags." in refused.content.decode()
    assert second.tags.count() == first.tags.count() == 2
    for action in ("tag", "archive", "delete"):
        assert "Tick the conversations first that you mean" in change(action, tags="new").content.decode()
    assert not Tag.objects.filter(name="new").exists()


def test_nobody_else_undoes_it(page: Client, bob: Any) -> None:
    theirs = conversation(bob, deleted_at=timezone.now())
    assert page.post(reverse("conversation-restore", args=[theirs.pk])).status_code == 404
    assert "Question" not in page.get("/", {"deleted": str(theirs.pk)}).content.decode()


def test_after_a_while_nothing_is_left_of_a_deleted_conversation(
    page: Client, alice: Any, monkeypatch: Any, django_capture_on_commit_callbacks: Any
) -> None:
    monkeypatch.setattr(erasing, "AT_ONCE", 2)  # of three answers
    kept = rows.turn(alice, "Kept")
    turn = rows.turn(alice, "Secret")
    rows.reply(turn.message, "Another answer")
    rows.turn(alice, "And more", conversation=turn.conversation, parent=turn.reply)
    turn.conversation.tags.create(user=alice, name="work")
    long_ago = timezone.now() - timedelta(seconds=conversations.UNDO_SECONDS + 1)
    Conversation.objects.filter(pk=turn.conversation_id).update(deleted_at=long_ago)
    for reply_id in Turn.objects.values_list("pk", flat=True):
        redis().xadd(stream_key(reply_id), {"text": "Secret"})
    with django_capture_on_commit_callbacks(execute=True):
        conversations.purge()
    assert set(redis().keys(stream_key("*"))) == {stream_key(kept.pk).encode()}
    assert list(Turn.objects.all()) == [kept]
    assert Message.objects.count() == 2
    assert (Completion.objects.get(), Decision.objects.get()) == (kept.completion, kept.decision)
    assert not Tag.objects.exists()
    assert page.post(reverse("conversation-restore", args=[turn.conversation_id])).status_code == 404
    assert page.get("/", {"deleted": str(turn.conversation_id)}).status_code == 200


def test_what_goes_for_good_in_the_same_moment_cannot_be_had_back(
    post: Post, page: Client, alice: Any, monkeypatch: Any
) -> None:
    long_ago = timezone.now() - timedelta(seconds=conversations.UNDO_SECONDS + 1)
    mine, found = conversation(alice, deleted_at=long_ago), access.deleted_conversation_or_404

    def find_it_before_it_goes(*args: Any) -> Conversation:
        one = found(*args)
        conversations.purge()
        return one

    monkeypatch.setattr(access, "deleted_conversation_or_404", find_it_before_it_goes)
    assert page.post(reverse("conversation-restore", args=[mine.pk])).status_code == 404


def test_a_few_go_at_a_time_and_none_whose_answer_is_still_being_stopped(alice: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(conversations, "PURGED_AT_ONCE", 2)
    long_ago = timezone.now() - timedelta(seconds=conversations.UNDO_SECONDS + 60)
    stopping = [rows.turn(alice, status="running"), rows.undecided(alice)]
    others = [rows.turn(alice) for _ in range(3)]
    for number, turn in enumerate((*stopping, *others)):
        turn.conversation.deleted_at = long_ago + timedelta(seconds=number)
        turn.conversation.save()
    for left in (1, 0, 0):
        conversations.purge()
        assert list(Turn.objects.order_by("queued_at")) == stopping + others[3 - left :]

"""All that is kept of a person: it can be taken along, and nothing of it is left when they leave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection, models
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatsite.accounts import leaving
from chatsite.accounts.models import Invitation, Preferences, SignInLink
from chatsite.chat import conversations, feed, ratings
from chatsite.chat.models import Titling
from chatsite.documents.models import Attachment, Content
from chatsite.operations import quarantine
from chatsite.operations.audit import write_down
from chatsite.routing.models import Replay, ReplayedFlip, Training
from chatsite.sharing.models import Share
from chatsite.transfer.models import Import, Origin
from chatsite.writing.models import Draft
from router.models import AuditEntry, Correction
from tests.pages import rows
from workers.connections import client as redis
from workers.connections import stream_key

User = get_user_model()
MARK = "zanzibar"  # in every text of hers
# What is kept of her and is no news to her: copies of her texts, and jobs that have been done.
NOT_EXPORTED = {"search.Entry", "chat.Titling", "transfer.Origin", "documents.Content", "routing.Replay"}
NOT_EXPORTED |= {"routing.Training", "routing.ReplayedFlip"}


def of_a_person() -> set[type[models.Model]]:
    """Every kind of row that goes with a person: by itself, or with something else that does."""
    found: set[type[models.Model]] = {User}
    while True:
        more = {
            model
            for model in apps.get_models()
            for field in model._meta.concrete_fields
            if field.remote_field and field.related_model in found and field.remote_field.on_delete is models.CASCADE
        }
        if more <= found:
            return found - {User, LogEntry}
        found |= more


@pytest.fixture
def everything(client: Client, alice: Any, defaults: None) -> set[type[models.Model]]:
    """One of everything that can be hers; the kinds of it."""
    now = timezone.now()
    client.force_login(alice)
    User.objects.filter(pk=alice.pk).update(first_name=f"{MARK} first", last_name=f"{MARK} last")
    alice.groups.add(Group.objects.create(name="Lawyers"))
    turn = rows.turn(alice, f"{MARK} question", f"{MARK} answer", person=alice)
    assert turn.decision
    conversation, message = turn.conversation, turn.message
    rows.decision(shadow_of=turn.decision, context=f"{MARK} context")
    conversations.tag(alice, conversation_id=conversation.pk, names=[f"{MARK} tag"])
    ratings.rate(alice, reply_id=turn.pk, value="down", reason=f"{MARK} reason")
    Correction.objects.create(decision=turn.decision, user=alice, text=f"{MARK} correction", wanted_route="classify")
    ended: dict[str, Any] = {"status": "done", "started_at": now, "finished_at": now, "person": alice}
    Titling.objects.create(conversation=conversation, message=message, **ended)
    for sent in (message, None):
        file = Attachment.objects.create(
            **ended, owner=alice, conversation=conversation, message=sent, kind="text", size=1,
            name=f"{MARK} {'sent' if sent else 'unsent'}.txt", text=f"{MARK} text of {'sent' if sent else 'unsent'}",
        )  # fmt: skip
        Content.objects.create(attachment=file, data=MARK.encode())
    Share.objects.create(conversation=conversation, leaf=message, title=f"{MARK} shared")
    Draft.objects.create(user=alice, text=f"{MARK} draft", pasted=[f"{MARK} pasted"])
    Preferences.objects.create(user=alice, language="de")
    SignInLink.issue(user=alice)
    invited = Invitation.objects.create(token_hash="1" * 64, email=f"{MARK}@example.org", accepted_by=alice)
    set_aside = ended | {"status": "quarantined"}
    brought = Import.objects.create(user=alice, name=f"{MARK}.json", language="", content=b"", **set_aside)
    assert quarantine.discard(brought, alice)
    Origin.objects.create(user=alice, source=f"chatgpt:{MARK}", conversation=conversation, brought_by=brought)
    live, common = rows.revision(), {"newest": 1, "before": 1, "total": 1, "snapshot": {}}
    replay = Replay.objects.create(**common, live=live, classifier=live.classifier, **ended)
    ReplayedFlip.objects.create(replay=replay, turn=turn, old_route="a", new_route="b", old_choice={}, new_choice={})
    Training.objects.create(rows=[], seed=1, with_encoder=False, **(ended | {"status": "failed"}))
    write_down(alice, Invitation, "4711", alice.email, "Of one that is gone.")
    write_down(alice, Invitation, str(invited.pk), str(invited), "Another change.")
    write_down(alice, User, str(alice.pk), "alice", "A change.")
    AuditEntry.objects.create(actor=alice, action=AuditEntry.Action.PUBLISH, text="Published.")
    redis().xadd(stream_key(turn.pk), {"text": f"{MARK} delta"})
    feed.tell(alice.pk, {"html": f"{MARK} frame"})
    return {kind for kind in of_a_person() if kind._default_manager.exists()}


def kept_in_the_database() -> Iterator[str]:
    for model in (one for one in apps.get_models() if one._meta.managed):
        for row in model._default_manager.values():
            yield f"{model._meta.label}: {row}"
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT rowid FROM search_words WHERE search_words MATCH %s", [MARK])
            yield from (f"the index: {MARK} {row}" for row in cursor.fetchall())


def kept_in_redis() -> Iterator[str]:
    read = {
        b"string": "get",
        b"hash": "hgetall",
        b"set": "smembers",
    }
    for key in redis().scan_iter():
        kind = redis().type(key)
        if kind == b"stream":
            yield f"{key}: {redis().xrange(key)}"
        elif kind == b"list":
            yield f"{key}: {redis().lrange(key, 0, -1)}"
        elif kind == b"zset":
            yield f"{key}: {redis().zrange(key, 0, -1)}"
        else:
            yield f"{key}: {getattr(redis(), read[kind])(key)}"


def test_nothing_is_left_of_somebody_who_has_left(
    client: Client, alice: Any, everything: set[type[models.Model]], django_capture_on_commit_callbacks: Any
) -> None:
    assert everything == of_a_person(), "make one of what is new, and see that it goes"
    assert any(MARK in row for row in kept_in_redis())
    with django_capture_on_commit_callbacks(execute=True):
        leaving.delete_account(alice)
    signs = (MARK, "alice")
    assert [row for row in [*kept_in_the_database(), *kept_in_redis()] if any(sign in row for sign in signs)] == []
    assert {kind for kind in everything if kind._default_manager.exists()} == set()
    assert client.get(reverse("account")).status_code == 302


def test_all_that_is_kept_can_be_taken_along(client: Client, alice: Any, everything: set[type[models.Model]]) -> None:
    response: Any = client.get(reverse("export-all"))

    async def read() -> bytes:
        return b"".join([part async for part in response])

    text = async_to_sync(read)().decode()
    file = orjson.loads(text)
    hers = [row for row in kept_in_the_database() if row.split(":")[0] not in NOT_EXPORTED | {"the index"}]
    marked = {word.split("'")[0] for row in hers for word in row.split(MARK)[1:]}
    wanted = {ending for ending in marked if ending} - {
        " context"
    }  # of what a shadow decided, which is not hers to see
    assert {ending for ending in wanted if MARK + ending not in text} == set()
    account = file["account"]
    assert (len(account["sign_in_links"]), account["language"], account["groups"]) == (1, "de", ["Lawyers"])
    assert account["changes"][0]["change_message"] == "A change."
    assert account["audited"][0]["text"] == "Published."
    assert alice.password not in text


def test_what_was_told_to_tabs_goes_after_a_while(alice: Any) -> None:
    old = int((timezone.now() - timedelta(seconds=feed.KEPT_SECONDS + 60)).timestamp() * 1000)
    redis().delete(feed.FEED)
    redis().xadd(feed.FEED, {"user": "1", "frame": MARK}, id=f"{old}-0")
    feed.tell(alice.pk, {"new": True})
    feed.sweep()
    assert [fields[b"frame"] for _, fields in redis().xrange(feed.FEED)] == [b'{"new":true}']

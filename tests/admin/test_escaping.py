"""What people type is shown as text, on every page of the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from chatsite.chat.models import Conversation, Message, Turn
from router.models import Revision, Route
from tests.admin.conftest import AdminClient
from workers import failures
from workers.models import Completion, Model, Provider
from workers.trials import Trial

EVIL = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def pages(defaults: None, admin: User) -> list[str]:
    """The addresses of pages that show names full of markup."""
    provider = Provider.objects.create(name=EVIL, base_url="http://127.0.0.1:9/v1")
    model = Model.objects.create(provider=provider, name=EVIL, identifier=EVIL, licence=EVIL)
    route = Route.objects.create(
        name="evil",
        title=EVIL,
        description=EVIL,
        role="classify",
        prompt_template=EVIL,
        labels=[{"name": EVIL, "examples": [EVIL]}, {"name": "b", "description": EVIL}],
    )
    route.route_models.create(model=model)
    route.examples.create(text=EVIL)
    route.rules.create(value=EVIL)
    user = User.objects.create(username=EVIL[:150], first_name=EVIL, email="a@example.org")
    group = Group.objects.create(name=EVIL)
    live = Revision.objects.get(is_live=True)
    Revision.objects.update(note=EVIL, author=user)
    completion = Completion.objects.create(
        reply_id=user_id(1),
        role="generate",
        model=model,
        prompt=[],
        status="failed",
        error_code=EVIL,
        error_detail=EVIL,
        finished_at=timezone.now(),
    )
    conversation = Conversation.objects.create(user=user)
    message = Message.objects.create(conversation=conversation, role="user", text=EVIL, user=user)
    reply = Message.objects.create(conversation=conversation, role="assistant", parent=message)
    turn = Turn.objects.create(
        reply=reply,
        message=message,
        conversation=conversation,
        status="failed",
        error_detail=EVIL,
        error_code=EVIL,
        finished_at=timezone.now(),
    )
    score = {"title": EVIL, "score": 0.5}
    outcome: dict[str, Any] = {
        "route": EVIL,
        "strategy": "rule",
        "scores": [score],
        "models": [EVIL, EVIL],
        "revision": 1,
        "duration_ms": 1.0,
        "rule": EVIL,
        "words": [{"text": EVIL, "weight": 0.1}],
        "examples": [{"text": EVIL, "title": EVIL, "similarity": 0.5}],
    }
    decided = Trial("decided", admin.pk, "route", 0, {"text": EVIL}, "done", outcome)
    failed = Trial("failed", admin.pk, "remote", 0, {}, "failed", {"text": EVIL})
    answered = Trial("answered", admin.pk, "remote", 0, {}, "done", {"text": EVIL, "seconds": 1.0})
    for trial in (decided, failed, answered):
        trial.save()
    failures.note(EVIL, "failed")
    rows = [provider, model, route, live, completion, turn, user, group]
    lists = [f"/admin/{row._meta.app_label}/{row._meta.model_name}/" for row in rows]
    return [
        "/admin/",
        *lists,
        *(f"{path}{row.pk}/change/" for path, row in zip(lists, rows, strict=True)),
        *(f"{path}{row.pk}/delete/" for path, row in zip(lists, rows, strict=True) if row in (provider, route, user)),
        f"/admin/workers/provider/{provider.pk}/trials/failed/",
        f"/admin/workers/provider/{provider.pk}/trials/answered/",
        "/admin/operations/board/",
        "/admin/chat/turn/try/",
        "/admin/chat/turn/try/decided/",
        "/admin/chat/turn/try/?again=decided",
    ]


def user_id(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012}"


def test_nothing_becomes_markup(ada: AdminClient, pages: list[str]) -> None:
    shown = 0
    for path in pages:
        page = ada.get(path)
        assert page.status_code == 200, path
        assert "<img src=x" not in page.content.decode(), path
        shown += page.content.decode().count("&lt;img src=x onerror=alert(1)&gt;")
    assert shown > 30


def test_messages_after_saving_are_text_too(ada: AdminClient, pages: list[str]) -> None:
    provider, route = Provider.objects.get(name=EVIL), Route.objects.get(name="evil")
    saved = [
        ada.submit(f"/admin/workers/provider/{provider.pk}/change/"),
        ada.submit(f"/admin/workers/model/{provider.models.get().pk}/change/", name=f"{EVIL}2"),
        ada.submit(f"/admin/router/route/{route.pk}/change/", new_examples=f"{EVIL}2"),
        ada.submit(
            "/admin/router/route/add/", name="b", title="b", description="b", role="generate", new_examples=EVIL
        ),
    ]
    for page in saved:
        assert "<img src=x" not in page.content.decode()
        assert "&lt;img src=x" in page.content.decode()

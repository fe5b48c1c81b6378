"""What admins see of ratings: figures and reasons, neither the conversation nor the person."""

from __future__ import annotations

import re
from typing import Any

from chatsite.chat.models import Rating
from tests.admin.conftest import AdminClient
from tests.pages import rows


def test_admins_see_figures_and_reasons_but_neither_conversations_nor_people(ada: AdminClient, bob: Any) -> None:
    large = rows.model("Large model")
    for value, reason in (("up", ""), ("down", "Too <b>long</b>"), ("down", "")):
        turn = rows.turn(bob, "Bob's secret question", "The secret answer", answered_by=large)
        Rating.objects.create(turn=turn, user=bob, value=value, reason=reason)
    page = ada.get("/admin/chat/rating/")
    assert page.context["figures"] == [{"route": "generate", "model": "Large model", "up": 1, "down": 2}]
    content = page.content.decode()
    assert re.search(r">\s*Large model\s*</", content.rpartition("<tbody")[2])
    assert "Too &lt;b&gt;long&lt;/b&gt;" in content
    assert "secret" not in content
    assert not re.search(r"\bbob\b", content)
    alone = ada.get(f"/admin/chat/rating/{Rating.objects.latest('pk').pk}/change/").content.decode()
    assert "Large model" in alone
    assert not re.search(rf"\bbob\b|secret|{turn.pk}", alone)
    filtered = ada.get("/admin/chat/rating/?value__exact=up").context["figures"]
    assert filtered == [{"route": "generate", "model": "Large model", "up": 1, "down": 0}]

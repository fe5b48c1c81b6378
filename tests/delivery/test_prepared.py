"""A query that is put into SQL once finds what the query itself would."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.functions import Length
from django.utils import timezone

from chatsite.chat.models import Conversation
from workers.prepared import prepared


@prepared
def _by_title(user_id: Any, title: str) -> QuerySet[Conversation]:
    return Conversation.objects.select_related("user").filter(user=user_id, title__startswith=title)


def test_arguments_go_in_where_they_stand_and_rows_bring_what_belongs_to_them(
    alice: User, bob: User, django_assert_num_queries: Any
) -> None:
    mine = Conversation.objects.create(user=alice, title="Taxes 2026")
    Conversation.objects.create(user=bob, title="Taxes 2026")
    assert _by_title(alice.pk, "Taxes") == [mine]
    assert _by_title(alice.pk, "Holidays") == []
    with django_assert_num_queries(1):
        assert [found.user for found in _by_title(bob.pk, "Tax")] == [bob]


def test_a_value_is_made_what_its_field_is(alice: User) -> None:
    @prepared
    def since(pk: Any, moment: Any) -> QuerySet[Conversation, str]:
        return Conversation.objects.filter(pk=pk, created_at__lte=moment).values_list("title", flat=True)

    conversation = Conversation.objects.create(user=alice, title="Taxes")
    assert since(str(conversation.pk), timezone.now()) == since(conversation.pk, timezone.now()) == ["Taxes"]


def test_a_class_makes_a_query_of_its_own(alice: User) -> None:
    @prepared
    def named(kind: Any, name: str) -> QuerySet[Any]:
        return kind.objects.filter(**{"name" if kind is Group else "username": name})

    staff = Group.objects.create(name="staff")
    assert named(Group, "staff") == [staff]
    assert named(User, alice.username) == [alice]
    assert named(Group, alice.username) == []


@pytest.mark.django_db(transaction=True)
def test_every_thread_asks_through_its_own_connection(alice: User) -> None:
    conversation = Conversation.objects.create(user=alice, title="Taxes")

    def ask(_: int) -> list[Conversation]:
        try:
            return _by_title(alice.pk, "Taxes")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(8))) == [[conversation]] * 8


def test_what_it_could_not_ask_is_refused(alice: User) -> None:
    @prepared
    def ending(end: Any) -> QuerySet[Conversation]:
        return Conversation.objects.alias(rest=Length("title") - end).filter(rest=F("rest"))

    with pytest.raises(TypeError, match="only compared"):
        ending(4)
    with pytest.raises(ValueError, match="_by_title was asked for None"):
        _by_title(None, "Taxes")
    with pytest.raises(ValueError, match="expected a number"):
        _by_title("alice", "Taxes")

"""Routes and models for groups, as an admin sets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from router.models import Route
from tests.admin.conftest import AdminClient, errors
from tests.pages import rows
from workers.limits import GroupLimits, Limits, limits_of
from workers.models import Model

DRAFT = "/admin/router/revision/draft/"


@pytest.fixture
def lawyers(db: None) -> Group:
    return Group.objects.create(name="Lawyers")


def test_a_route_is_for_the_groups_that_are_chosen(ada: AdminClient, defaults: None, lawyers: Group) -> None:
    route = Route.objects.get(name="classify")
    ada.submit(f"/admin/router/route/{route.pk}/change/", groups=[lawyers.pk])
    assert list(route.groups.all()) == [lawyers]
    page = ada.get(DRAFT).content.decode()
    assert "Lawyers" in page
    assert "everybody" in page


def test_the_default_route_stays_for_everybody(ada: AdminClient, defaults: None, lawyers: Group) -> None:
    Route.objects.get(is_default=True).groups.set([lawyers])
    assert "is the default, so it is for everybody" in ada.get(DRAFT).content.decode()


def test_a_model_is_for_the_groups_that_are_chosen(ada: AdminClient, defaults: None, lawyers: Group) -> None:
    model = Model.objects.get(identifier="minilm-zero-shot")
    ada.submit(f"/admin/workers/model/{model.pk}/change/", groups=[lawyers.pk])
    assert list(model.groups.all()) == [lawyers]
    assert "who may use MiniLM zero-shot" in ada.get(DRAFT).content.decode()


def test_the_limits_of_a_group_are_set_on_its_page(ada: AdminClient, alice: User, lawyers: Group) -> None:
    path = f"/admin/auth/group/{lawyers.pk}/change/"
    assert "Empty: as set for the site, 200." in ada.get(path).content.decode()
    ada.submit(path, **{"limits-0-running": 7, "limits-0-wait_seconds": 300})
    assert limits_of(alice.pk) == Limits(running=2, waiting=5, waiting_in_all=200, wait_seconds=60)
    alice.groups.add(lawyers)
    assert limits_of(alice.pk) == Limits(running=7, waiting=5, waiting_in_all=200, wait_seconds=300)


def test_the_most_generous_of_a_persons_groups_counts(alice: User, lawyers: Group) -> None:
    others = [Group.objects.create(name=name) for name in ("Guests", "Nobody's")]
    alice.groups.add(lawyers, others[0])
    GroupLimits.objects.create(group=lawyers, running=1, waiting=9)
    GroupLimits.objects.create(group=others[0], running=3, waiting=0)
    GroupLimits.objects.create(group=others[1], running=50, waiting=50, waiting_in_all=1000)
    assert limits_of(alice.pk) == Limits(running=3, waiting=9, waiting_in_all=200, wait_seconds=60)


@pytest.mark.parametrize("field", ["running", "waiting_in_all", "wait_seconds"])
@pytest.mark.parametrize("value", [0, -1, "many"])
def test_a_limit_that_leaves_nothing_is_refused(ada: AdminClient, lawyers: Group, field: str, value: Any) -> None:
    page = ada.submit(f"/admin/auth/group/{lawyers.pk}/change/", **{f"limits-0-{field}": value})
    assert errors(page)
    assert not GroupLimits.objects.exists()


def test_limits_are_changed_by_those_who_may_change_groups(
    alice_with: Callable[..., AdminClient], lawyers: Group
) -> None:
    path = f"/admin/auth/group/{lawyers.pk}/change/"
    GroupLimits.objects.create(group=lawyers, running=4)
    helper = alice_with("auth.view_group")
    assert "How much its people may ask for" in helper.get(path).content.decode()
    limits = lawyers.limits.pk
    form = {"name": "Lawyers", "limits-TOTAL_FORMS": 1, "limits-INITIAL_FORMS": 1, "limits-0-id": limits}
    assert helper.post(path, {**form, "limits-0-group": lawyers.pk, "limits-0-running": 99}).status_code == 403
    assert GroupLimits.objects.get().running == 4
    alice_with("auth.change_group").submit(path, **{"limits-0-running": 5})
    assert GroupLimits.objects.get().running == 5


def test_messages_are_counted_by_the_limits_of_the_group(alice: User, lawyers: Group) -> None:
    rows.revision()
    alice.groups.add(lawyers)
    GroupLimits.objects.create(group=lawyers, running=1, waiting=0)
    browser = Client()
    browser.force_login(alice)
    assert browser.post("/", {"text": "Hello"}).status_code == 302
    assert browser.post("/", {"text": "Hello"}).status_code == 429
    GroupLimits.objects.update(waiting=1)
    assert browser.post("/", {"text": "Hello"}).status_code == 302


def test_a_group_that_a_route_or_a_model_is_for_stays(ada: AdminClient, defaults: None, lawyers: Group) -> None:
    Route.objects.get(name="classify").groups.set([lawyers])
    page = ada.post(f"/admin/auth/group/{lawyers.pk}/delete/", {"post": "yes"}).content.decode()
    assert "Classification is for this group" in page
    assert Group.objects.filter(pk=lawyers.pk).exists()
    Route.objects.get(name="classify").groups.clear()
    ada.post(f"/admin/auth/group/{lawyers.pk}/delete/", {"post": "yes"})
    assert not Group.objects.filter(pk=lawyers.pk).exists()

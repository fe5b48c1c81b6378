"""Routes and models for groups, as an admin sets them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

from router.models import Route
from tests.admin.conftest import AdminClient
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


def test_a_group_that_a_route_or_a_model_is_for_stays(ada: AdminClient, defaults: None, lawyers: Group) -> None:
    Route.objects.get(name="classify").groups.set([lawyers])
    page = ada.post(f"/admin/auth/group/{lawyers.pk}/delete/", {"post": "yes"}).content.decode()
    assert "Classification is for this group" in page
    assert Group.objects.filter(pk=lawyers.pk).exists()
    Route.objects.get(name="classify").groups.clear()
    ada.post(f"/admin/auth/group/{lawyers.pk}/delete/", {"post": "yes"})
    assert not Group.objects.filter(pk=lawyers.pk).exists()

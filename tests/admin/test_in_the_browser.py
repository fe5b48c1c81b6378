"""The admin in a real browser: a provider is connected by clicking, a route is given rules and tried."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from router.models import Route
from tests.backends.fake_provider import FakeProvider
from tests.browser.conftest import OpenPage
from workers.models import Provider

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.django_db(transaction=True)]
EVIL = '"><img src=x onerror=alert(1)>'
SECONDS = 1000


def save(page: Page, button: str = "Save") -> None:
    page.get_by_role("button", name=button, exact=True).click()


def test_a_provider_is_connected_and_tested(open_page: OpenPage, admin: Any) -> None:
    page = open_page(admin)
    with FakeProvider() as fake:
        page.goto("/admin/")
        page.get_by_role("link", name="Connect one").click()
        page.locator("#id_name").fill("Acme")
        page.locator("#id_base_url").fill(fake.base_url)
        page.locator("#id_key").fill("sk-canary")
        page.locator("#id_models-0-name").fill("Acme large")
        page.locator("#id_models-0-identifier").fill("tokens3")
        save(page, "Save and test")
        expect(page.get_by_text("It works")).to_be_visible(timeout=30 * SECONDS)
        page.get_by_role("link", name="Back").click()
        expect(page.get_by_text("A key is stored")).to_be_visible()
    assert Provider.objects.get(name="Acme").models.get().identifier == "tokens3"


def test_a_route_is_given_rules_and_tried(open_page: OpenPage, admin: Any) -> None:
    page = open_page(admin)
    page.goto(f"/admin/router/route/{Route.objects.get(name='classify').pk}/change/")
    page.get_by_text("Add another Rule").click()
    page.locator("#id_rules-0-value").fill("^zebra")
    save(page)
    expect(page.get_by_text("This changed the draft")).to_be_visible()
    page.get_by_role("link", name="Try a message").click()
    page.get_by_label("Message").fill("zebra crossing")
    save(page, "Try it")
    expect(page.get_by_text("Classification", exact=True).first).to_be_visible(timeout=30 * SECONDS)
    expect(page.get_by_text("A rule applied")).to_be_visible()


def test_labels_are_asked_for_where_they_make_sense(open_page: OpenPage, admin: Any) -> None:
    page = open_page(admin)
    page.goto("/admin/router/route/add/")
    page.locator("#id_role").select_option("classify")
    expect(page.locator("#id_labels")).to_be_visible()
    page.locator("#id_role").select_option("generate")
    expect(page.locator("#id_labels")).to_be_hidden()


def test_markup_in_names_is_never_run(open_page: OpenPage, admin: Any) -> None:
    """`open_page` fails this test if a dialog opens."""
    page = open_page(admin)
    page.goto("/admin/router/route/add/")
    page.locator("#id_title").fill(EVIL)
    page.locator("#id_name").fill("evil")
    page.locator("#id_description").fill("{{ 7*7 }} ${alert(1)} ' x-init='alert(1)")
    page.locator("#id_role").select_option("generate")
    page.locator("#id_new_examples").fill(EVIL)
    save(page)
    expect(page.get_by_role("link", name=EVIL).first).to_be_visible()
    page.goto(f"/admin/router/route/{Route.objects.get(name='evil').pk}/change/")
    expect(page.locator("#id_title")).to_have_value(EVIL)
    page.goto("/admin/router/revision/draft/")
    expect(page.get_by_text("onerror").first).to_be_visible()
    page.goto("/admin/")

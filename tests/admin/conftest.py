"""Looking at pages of the admin as somebody, and sending their forms back with a few changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.browser.conftest import _kept_profile, chromium, open_page, playwright  # noqa: F401  (fixtures)
from workers.models import Provider

CANARY = "sk-canary-4f1c9e77ab"


class AdminClient(Client):
    """A test client that can send back the form that it was shown."""

    def submit(self, path: str, button: Any = "_save", **changes: Any) -> Any:
        """Open the page at `path`, change some fields of its form, send it, and follow redirects.

        A change to None leaves the field out. Inline rows are named as in the page, for instance
        `rules-0-value`; rows beyond those that are shown are counted in by themselves.
        """
        data = {**fields_of(self.get(path)), **changes, button: "1"}
        for prefix, number in (name.rsplit("-", 2)[:2] for name in changes if name.count("-") == 2):
            total = f"{prefix}-TOTAL_FORMS"
            data[total] = max(int(data[total]), int(number) + 1)
        return self.post(path, {name: value for name, value in data.items() if value is not None}, follow=True)


def fields_of(response: Any) -> dict[str, Any]:
    """The form of a page as it would be sent back."""
    assert response.status_code == 200, response
    formsets = [inline.formset for inline in response.context["inline_admin_formsets"]]
    forms = [response.context["adminform"].form]
    for formset in formsets:
        forms += [formset.management_form, *formset.forms]
    fields = {bound.html_name: bound.value() for form in forms for bound in form if not bound.field.disabled}
    return {
        name: "on" if value is True else value
        for name, value in fields.items()
        if value is not None and value is not False
    }


def errors(response: Any) -> str:
    """All that the form on the page complains about, in one text."""
    assert response.status_code == 200
    found = [response.context["adminform"].form.errors]
    for inline in response.context["inline_admin_formsets"]:
        found += [*inline.formset.errors, inline.formset.non_form_errors()]
    return " ".join(str(each) for each in found if each)


def said(response: Any) -> str:
    """The messages at the top of the page."""
    return " ".join(str(message) for message in response.context["messages"])


@pytest.fixture
def ada(admin: User) -> AdminClient:
    """Somebody who may do everything."""
    ada = AdminClient()
    ada.force_login(admin)
    return ada


@pytest.fixture
def alice_with(alice: User) -> Callable[..., AdminClient]:
    """Alice as staff with the permissions that are named."""

    def sign_in(*permissions: str) -> AdminClient:
        alice.is_staff = True
        alice.save()
        for permission in permissions:
            app, codename = permission.split(".")
            alice.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
        ada = AdminClient()
        ada.force_login(alice)
        return ada

    return sign_in


@pytest.fixture
def keyed_provider(db: None) -> Provider:
    """A provider with a key that must never be seen."""
    provider = Provider(name="Acme", base_url="http://127.0.0.1:9/v1")
    provider.api_key = CANARY
    provider.save()
    return provider

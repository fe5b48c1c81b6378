"""The admin's theme gets what it needs from the policy; the rest of the site stays strict."""

from __future__ import annotations

from django.test import Client

from tests.admin.conftest import AdminClient


def directives(response: object) -> dict[str, set[str]]:
    header: str = response.headers["Content-Security-Policy"]  # type: ignore[attr-defined]
    return {name: set(sources) for name, *sources in (part.split() for part in header.split(";"))}


def test_the_admin_may_compile_expressions_but_load_nothing_from_elsewhere(ada: AdminClient) -> None:
    policy = directives(ada.get("/admin/"))
    assert policy["script-src"] == {"'self'", "'unsafe-eval'"}
    assert policy["style-src"] == {"'self'", "'unsafe-inline'"}
    assert policy["default-src"] == {"'none'"}
    assert policy["connect-src"] == policy["font-src"] == policy["form-action"] == {"'self'"}
    assert policy["img-src"] == {"'self'", "data:"}


def test_the_chat_stays_strict(ada: AdminClient) -> None:
    for page in (ada.get("/"), Client().get("/sign-in/"), Client().get("/no-such-page/")):
        assert directives(page)["script-src"] == {"'self'"}
        assert directives(page)["style-src"] == {"'self'"}

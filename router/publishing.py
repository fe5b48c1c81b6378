"""What admins save goes live: the checks and the advice that go with publishing it from a form."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from router.defaults import ROUTES
from router.models import Revision, Route
from router.revisions import InvalidPolicyError, publish
from workers.models import Role

NOTE_LENGTH = 200
# The classifier knows these from its training; every other route has to be told what belongs on it.
BUILT_IN = frozenset(spec["name"] for spec in ROUTES)


def publish_change(author: Any, note: str) -> Revision:
    """Make the routes as they are now the live revision. Raises `ValidationError` if they cannot work."""
    try:
        return publish(author, note[:NOTE_LENGTH])
    except InvalidPolicyError as error:
        raise ValidationError(str(error)) from error


def check_recognisable(route: Route) -> None:
    """Raises `ValidationError` for a route in use that no message would ever be sent to."""
    is_told = route.rules.exists() or route.examples.exists()
    if route.is_enabled and not (is_told or route.is_default or route.name in BUILT_IN):
        raise ValidationError(
            "Nothing would lead to this route. Add a rule or some example messages, or switch the route off."
        )


def advice(route: Route) -> str:
    """What people will get from a route that is sound but not of use yet; empty if there is nothing to say."""
    usable = route.route_models.filter(model__is_enabled=True, model__provider__is_enabled=True)
    if not route.is_enabled or usable.exists():
        return ""
    if route.role == Role.GENERATE:
        return (
            f"{route} has no model that is switched on. Whoever is sent there is told that no generative model is "
            "connected, and what can be done without one."
        )
    return f"{route} has no model that is switched on. Whoever is sent there is told so and gets no answer."

"""What an admin is told about a route that is sound, but not of use yet."""

from __future__ import annotations

from router.models import Route
from workers.models import Role


def advice(route: Route) -> list[str]:
    """What people would get from a route, as far as that is not an answer."""
    usable = route.route_models.filter(model__is_enabled=True, model__provider__is_enabled=True)
    if not route.is_enabled or usable.exists():
        return []
    if route.role == Role.GENERATE:
        return [
            f"{route} has no model that is switched on. Whoever is sent there is told that no generative model is "
            "connected, and what can be done without one."
        ]
    return [f"{route} has no model that is switched on. Whoever is sent there is told so and gets no answer."]

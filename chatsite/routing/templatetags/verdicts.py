"""What the page of a verdict is put together from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template

from chatsite.routing.confusion import picture

register = template.Library()


@register.filter
def titled(route: str, titles: Mapping[str, str]) -> str:
    """The title of a route; nobody answers where there is no route at all."""
    return titles.get(route, route) or "nobody"


@register.filter
def points(share: float, other: float) -> str:
    """By how many percentage points a share is above another one."""
    difference = round(100 * (share - other), 1)
    return f"{difference:+.1f}".replace("-", "−") if difference else "±0"


@register.inclusion_tag("admin/routing/_confusion.html")
def confusion(figures: Mapping[str, Any], titles: Mapping[str, str], caption: str) -> dict[str, Any]:
    """The confusion matrix as a picture, with the same as a table below it."""
    return {"picture": picture(figures["confusion"], titles), "caption": caption}

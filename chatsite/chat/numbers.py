"""Figures as people write them in the language that is active."""

from __future__ import annotations

from decimal import Decimal

from django.utils.formats import localize
from django.utils.translation import gettext


def decimal(figure: float, digits: str) -> str:
    """`figure` in the format `digits` (".1f", ".3g"), with the point or comma of the language."""
    return str(localize(Decimal(format(figure, digits))))


def size(count: int) -> str:
    """A number of bytes."""
    for unit, factor in (("MB", 1_000_000), ("kB", 1_000)):
        if count >= factor:
            return f"{decimal(count / factor, '.3g')} {unit}"
    return gettext("{count} bytes").format(count=count)

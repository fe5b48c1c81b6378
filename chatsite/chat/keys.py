"""Keys of pages of a list that is sorted by time: where the next page goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = TypeVar("Row", bound=Model)


def make(at: datetime, pk: Any) -> str:
    """The key of a row; `at` is the time that it is sorted by."""
    return f"{(at - _EPOCH) // timedelta(microseconds=1)}_{pk}"


def after(key: str, rows: QuerySet[Row], field: str, pk: Callable[[str], Any]) -> QuerySet[Row] | None:
    """Those of rows sorted by `-field, -pk` that come after a key; None if it means nothing. `pk` reads an id."""
    microseconds, _, identity = key.partition("_")
    try:
        at, last = _EPOCH + timedelta(microseconds=int(microseconds)), pk(identity)
    except (ValueError, OverflowError):
        return None
    return rows.filter(Q(**{f"{field}__lt": at}) | Q(**{field: at, "pk__lt": last}))

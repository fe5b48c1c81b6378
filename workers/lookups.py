"""Filters in the addresses of the admin's lists."""

from __future__ import annotations

from typing import Any


class ListedFiltersOnly:
    """For an admin that shows less than its rows hold: no address asks for more than the filters beside the list do.

    By itself, the admin filters by any column that an address names. Whoever may only see that there is a row could
    find out letter by letter what is in it, or whose it is.
    """

    list_filter: Any

    def lookup_allowed(self, lookup: str, value: Any, request: Any) -> bool:
        is_listed = any(lookup == name or lookup.startswith(f"{name}__") for name in self.list_filter)
        return is_listed and super().lookup_allowed(lookup, value, request)  # type: ignore[misc]

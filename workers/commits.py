"""What is done when a transaction has committed, and must not undo that it has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

from django.db import transaction


def after_commit(function: Callable[..., Any], *arguments: Any) -> None:
    """Call `function` when the transaction commits, or at once outside of one. What it raises is logged."""
    # With its name, by which Django logs it: a bare partial has none, and that would be raised then.
    transaction.on_commit(update_wrapper(partial(function, *arguments), function), robust=True)

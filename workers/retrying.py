"""Retries have a budget: a provider in trouble is not asked three times as much as one that is well.

At most a tenth of the requests to a provider may be repeated ones, and ten within a minute where there are few
requests. Beyond that an answer goes to the next model of its route at once, or fails as it would have after three
tries. Each worker process keeps its own account.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict

SHARE = 0.1  # of all requests
RESERVE = 10.0  # retries that may be saved up
REFILL_SECONDS = 60.0  # until an empty reserve is full without any requests


class RetryBudget:
    """The retries that one provider may still cost this process."""

    def __init__(self) -> None:
        self._left = RESERVE
        self._counted_at = time.monotonic()
        self._lock = threading.Lock()

    def note_request(self) -> None:
        """A request that is no retry."""
        with self._lock:
            self._left = min(RESERVE, self._left + SHARE)

    def take(self) -> bool:
        """Whether there may be one more retry; it is counted if so."""
        with self._lock:
            now = time.monotonic()
            self._left = min(RESERVE, self._left + (now - self._counted_at) / REFILL_SECONDS * RESERVE)
            self._counted_at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


_budgets: defaultdict[int, RetryBudget] = defaultdict(RetryBudget)


def budget_of(provider_id: int) -> RetryBudget:
    """This process's budget for a provider."""
    return _budgets[provider_id]

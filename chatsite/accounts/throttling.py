"""What strangers may do is counted, so that nobody can try passwords, make accounts or send mail in bulk."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass

import redis
from django.conf import settings
from django.http import HttpRequest

from workers.connections import client

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60


@dataclass(frozen=True)
class Throttle:
    """How often something may happen within a minute, from one address and for one name."""

    what: str
    most_per_address: int
    most_per_name: int

    def is_closed(self, request: HttpRequest, name: str) -> bool:
        """Whether it has happened too often, from this address or for this name."""
        limits = self._limits(request, name)
        try:
            counts = client().mget(list(limits))
        except redis.RedisError as error:
            logger.warning("The throttle %s cannot be read: %s", self.what, error)
            return False
        return any(int(count or 0) >= most for count, most in zip(counts, limits.values(), strict=True))

    def note(self, request: HttpRequest, name: str) -> None:
        """Count one."""
        try:
            with client().pipeline() as pipeline:
                for key in self._limits(request, name):
                    pipeline.set(key, 0, nx=True, ex=WINDOW_SECONDS)
                    pipeline.incr(key)
                pipeline.execute()
        except redis.RedisError as error:
            logger.warning("The throttle %s did not count: %s", self.what, error)

    def _limits(self, request: HttpRequest, name: str) -> dict[str, int]:
        hashed = hashlib.sha256(name.casefold().encode("utf-8", "replace")).hexdigest()[:32]
        return {
            f"throttle:{self.what}:address:{_address(request)}": self.most_per_address,
            f"throttle:{self.what}:name:{hashed}": self.most_per_name,
        }


# More for a name than for an address: whoever knows a name could otherwise keep its owner out with little effort.
FAILED_SIGN_IN = Throttle("failed-sign-in", most_per_address=20, most_per_name=60)
JOINING = Throttle("joining", most_per_address=20, most_per_name=20)
PASSWORD_RESET = Throttle("password-reset", most_per_address=10, most_per_name=3)


def _address(request: HttpRequest) -> str:
    """Where the request comes from; behind our proxy that is what the proxy put last."""
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.BEHIND_PROXY else ""
    return forwarded.rpartition(",")[2].strip()[:64] or request.META.get("REMOTE_ADDR", "")

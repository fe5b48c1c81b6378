"""What strangers may do is counted, so that nobody can try passwords, make accounts or send mail in bulk.

It is counted before it is done: of many that come at the same moment, each counts those before it.
"""

from __future__ import annotations

import hashlib
import ipaddress
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

    def lets_in(self, request: HttpRequest, name: str) -> bool:
        """Count one. False: it has happened too often, from this address or for this name."""
        limits = self._limits(request, name)
        counts = self._count(limits, 1)
        return all(count <= most for count, most in zip(counts, limits.values(), strict=True))

    def take_back(self, request: HttpRequest, name: str) -> None:
        """What was counted is none of those that are to be few."""
        self._count(self._limits(request, name), -1)

    def _count(self, limits: dict[str, int], by: int) -> list[int]:
        """What the counts are then; 0 where Redis cannot be asked."""
        try:
            with client().pipeline() as pipeline:
                for key in limits:
                    pipeline.set(key, 0, nx=True, ex=WINDOW_SECONDS)
                    pipeline.incrby(key, by)
                return [int(count) for count in pipeline.execute()[1::2]]
        except redis.RedisError as error:
            logger.warning("The throttle %s did not count: %s", self.what, error)
            return [0] * len(limits)

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
    """Where the request comes from; behind our proxy that is what the proxy put last.

    Of IPv6 it is the network: whoever has one address has all of a /64 (RFC 6177).
    """
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.BEHIND_PROXY else ""
    address = forwarded.rpartition(",")[2].strip()[:64] or request.META.get("REMOTE_ADDR", "")
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    return str(parsed.ipv4_mapped or ipaddress.IPv6Network((int(parsed), 64), strict=False))

"""What the process of an isolated attempt runs (`workers.isolation`): it knows Django's settings from the environment.

The server that forks these processes imports this once.
"""

from __future__ import annotations

import logging

import django
import redis
from django.apps import apps
from django.db import DatabaseError

if not apps.ready:
    django.setup()

from workers import isolation, tracing
from workers.backends import openai_compatible  # noqa: F401  (what most answers need)

logger = logging.getLogger(__name__)


def run(kind: str, pk: str, attempt: int) -> None:
    """Run the task of one attempt here. It ends with an exception only if the job itself is to blame."""
    isolation.is_here = True
    try:
        apps.get_model(kind)().task.run(pk, attempt)
    except (DatabaseError, redis.RedisError):
        logger.exception("The isolated attempt %d of %s %s could not go on", attempt, kind, pk)
    finally:
        tracing.flush()

"""The warm start of a worker: what it loads before it takes its first task."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.db import DatabaseError, connection

from workers import encoder, queue_names
from workers.backends import backend_for, run_of
from workers.backends.base import Cancellation
from workers.errors import WorkerError
from workers.models import Model, Provider

logger = logging.getLogger(__name__)


def load_code(queues: Iterable[str]) -> None:
    """Load what the first answer would otherwise wait for, when many may be waiting with it."""
    if queue_names.REMOTE in map(queue_names.kind_of, queues):
        from workers.backends import calls, openai_compatible  # noqa: F401  (half a second that others do not need)

        calls.prepare()


def warm_up(queues: set[str]) -> None:
    """Load the built-in model, if `queues` ask for it, and the models that an admin has marked to be kept ready.

    One that cannot be loaded is logged: it must not keep the others from being served.
    """
    if queue_names.EMBEDDED in queues:
        encoder.encode(["Loads the weights."])
    for model in _kept_ready(queues):
        try:
            backend_for(model).get_ready(run_of(model, "", [], {}), Cancellation())
        except WorkerError as error:
            logger.error("%s could not be loaded: %s", model, error)


def _kept_ready(queues: set[str]) -> list[Model]:
    kept = Model.objects.select_related("provider").filter(
        is_warm=True, is_enabled=True, provider__is_enabled=True, provider__kind=Provider.Kind.TRANSFORMERS
    )
    try:
        return [model for model in kept if model.queue in queues]
    except DatabaseError as error:
        logger.error("Which models to keep ready could not be read: %s", error)
        return []
    finally:
        connection.close()

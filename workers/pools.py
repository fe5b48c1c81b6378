"""The pools that a worker may have: threads of one process, because a loaded model does not survive a fork."""

from __future__ import annotations

from typing import Any

from celery import bootsteps

_ALLOWED = ("celery.concurrency.thread", "celery.concurrency.solo")


class NeverForks(bootsteps.Step):
    """A step of Celery's worker that ends it, with a sentence, before it forks or patches anything."""

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        if worker.pool_cls.__module__ not in _ALLOWED:
            raise SystemExit(
                "Switchyard's workers are threads that share the models of one process: start them with --pool threads."
            )

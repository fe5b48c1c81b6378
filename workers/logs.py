"""Lines of the log: which request or answer each is about, and what never stands in one.

A reply has one id, from the browser to the provider and back: the browser is told it, every line about the reply has it
as `reply_id`, and the provider gets it as `X-Request-ID`. A request over HTTP has an id of its own, `request_id`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from types import MappingProxyType, NoneType
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.orjson import OrjsonFormatter

from workers.secrets import masked

_about: ContextVar[Mapping[str, str]] = ContextVar("about", default=MappingProxyType({}))
# Objects that Django and Celery attach to their records.
_ATTACHED = ("request", "data")
_HARMLESS = (int, float, datetime, NoneType)


@contextmanager
def about(**ids: object) -> Iterator[None]:
    """Give every line that this thread or coroutine logs inside the block these ids, beside those it has already."""
    token = _about.set({**_about.get(), **{name: str(value) for name, value in ids.items()}})
    try:
        yield
    finally:
        _about.reset(token)


class AddIds(logging.Filter):
    """Writes the ids of `about` into each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in _about.get().items():
            record.__dict__.setdefault(name, value)
        return True


class LineFormatter(logging.Formatter):
    """For people: time, level, logger, message, and the ids at the end."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        ids = [f"{name}={record.__dict__[name]}" for name in ("request_id", "reply_id") if name in record.__dict__]
        return " ".join([super().formatMessage(record), *ids])

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class JsonFormatter(OrjsonFormatter):
    """For programs: one JSON object a line, with the ids and whatever else the record carries."""

    def __init__(self) -> None:
        names: dict[str, Any] = {"levelname": "level", "name": "logger", "process": "pid", "exc_info": "traceback"}
        super().__init__(
            ["levelname", "name", "process", "message"],
            timestamp="time",
            rename_fields=names,
            reserved_attrs=[*RESERVED_ATTRS, *_ATTACHED],
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Each field by itself, so that what is masked in it cannot break the object."""
        return {name: value if isinstance(value, _HARMLESS) else masked(str(value)) for name, value in log_data.items()}

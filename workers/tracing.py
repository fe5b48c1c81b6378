"""Traces of answers, for the OpenTelemetry collector of OTEL_EXPORTER_OTLP_ENDPOINT; without one nothing happens here.

The trace of an answer has the id of the reply, and its first span the last half of it. So nothing has to be carried
from process to process: whoever works on a reply knows the trace, however often it was published or taken over.

A span says who did what for how long and whether it failed, never what was said. What makes and sends spans is imported
only where there is somebody to send to.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

FLUSH_MS = 5000


@dataclass
class Asked:
    """What somebody has asked of a web process, while it is dealt with."""

    name: str
    reply_id: UUID | None = None  # of the reply that it has made
    attributes: dict[str, Any] = field(default_factory=dict)


_asked: ContextVar[Asked | None] = ContextVar("asked", default=None)
_first_of: ContextVar[UUID | None] = ContextVar("first_of", default=None)  # the reply whose first span is being made


@contextmanager
def asked(name: str) -> Iterator[Asked]:
    """A request or a frame: the first span of the trace of the reply that comes of it, or else a trace of its own."""
    what, began = Asked(name), time.time_ns()
    token = _asked.set(what)
    try:
        yield what
    finally:
        _asked.reset(token)
        if tracer := _tracer():
            first_of = _first_of.set(what.reply_id)
            try:
                span = tracer.start_span(what.name, _nowhere(), attributes=what.attributes, start_time=began)
            finally:
                _first_of.reset(first_of)
            span.end()


def makes(reply_id: UUID) -> None:
    """What is being dealt with has made this reply."""
    if what := _asked.get():
        what.reply_id = reply_id


@contextmanager
def span(name: str, reply_id: UUID | None = None, **attributes: Any) -> Iterator[dict[str, Any]]:
    """A piece of work on a reply; within another one that has been begun with its id. The block may add attributes."""
    tracer = _tracer()
    if tracer is None:
        yield {}
        return
    with tracer.start_as_current_span(
        name, _within(reply_id) if reply_id else None, record_exception=False, set_status_on_exception=False
    ) as begun:
        try:
            yield attributes
        except BaseException as error:
            _mark_failed(begun, error)
            raise
        finally:
            begun.set_attributes({name: value for name, value in attributes.items() if value is not None})


def waited(name: str, reply_id: UUID, since: datetime, **attributes: Any) -> None:
    """A span that ends now: the work on a reply lay somewhere since then."""
    if tracer := _tracer():
        began = int(since.timestamp() * 1e9)
        tracer.start_span(name, _within(reply_id), attributes=attributes, start_time=began).end()


def prepare() -> None:
    """Load what sends spans, so that the first message does not wait for it."""
    _provider()


def flush() -> None:
    """Send what is left, in a process that ends without the usual ceremony."""
    if provider := _provider():
        provider.force_flush(FLUSH_MS)


def _tracer() -> Tracer | None:
    provider = _provider()
    return provider.get_tracer("switchyard") if provider else None


@cache
def _provider() -> TracerProvider | None:
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        """Those of the reply for the first span of its trace."""

        def generate_trace_id(self) -> int:
            reply_id = _first_of.get()
            return reply_id.int if reply_id else super().generate_trace_id()

        def generate_span_id(self) -> int:
            reply_id = _first_of.get()
            return _first_span_id(reply_id) if reply_id else super().generate_span_id()

    service = os.environ.get("OTEL_SERVICE_NAME") or "switchyard"
    instance = f"{socket.gethostname()}:{os.getpid()}"
    resource = Resource.create({"service.name": service, "service.instance.id": instance})
    provider = TracerProvider(resource=resource, id_generator=Ids())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _first_span_id(reply_id: UUID) -> int:
    """The last half of the id; never 0, because two of its bits say which kind of UUID it is."""
    return reply_id.int & (2**64 - 1)


def _within(reply_id: UUID) -> Context:
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    flags = TraceFlags(TraceFlags.SAMPLED)
    first = SpanContext(reply_id.int, _first_span_id(reply_id), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(first))


def _nowhere() -> Context:
    from opentelemetry.context import Context

    return Context()


def _mark_failed(begun: Span, error: BaseException) -> None:
    """With the code or the kind of the error: its text may quote what was said."""
    from opentelemetry.trace import StatusCode

    kind = str(getattr(error, "code", "")) or type(error).__name__
    begun.set_attribute("error.type", kind)
    begun.set_status(StatusCode.ERROR, kind)

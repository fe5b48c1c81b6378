"""How figures are written on the operations page."""

from __future__ import annotations

from datetime import datetime

from django import template

from chatsite.operations.figures import Waits
from chatsite.operations.staffing import Load
from workers.presence import Process

register = template.Library()


@register.filter
def length_of_time(seconds: float) -> str:
    """In the unit that suits it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 and seconds % 1 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


@register.filter
def spread(waits: Waits) -> str:
    """Half of them, and nearly all of them."""
    return f"p50 {length_of_time(waits.p50_seconds)}, p95 {length_of_time(waits.p95_seconds)}"


@register.filter
def load(load: Load) -> str:
    """What comes, and how long it takes."""
    a_minute = load.arrivals_per_second * 60
    count = f"{a_minute:.0f}" if a_minute >= 10 else f"{a_minute:.1f}"
    return f"{count} a minute, {length_of_time(load.service_seconds)} each"


@register.filter
def up_for(process: Process, now: datetime) -> str:
    """For how long it has been there."""
    return length_of_time(max(now.timestamp() - process.started_at, 0))

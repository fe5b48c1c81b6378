"""Figures of processes and of samples."""

from __future__ import annotations

import statistics

import psutil


def percentiles(values: list[float]) -> dict[str, float]:
    """The middle and the upper end; nothing of nothing."""
    if not values:
        return {}
    cuts = statistics.quantiles(values if len(values) > 1 else values * 2, n=100)
    return {"p50": round(cuts[49], 2), "p95": round(cuts[94], 2), "p99": round(cuts[98], 2)}


def memory_mib(pid: int) -> float:
    """Resident memory of a process."""
    return round(psutil.Process(pid).memory_info().rss / 2**20, 1)


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far, in user and kernel mode."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system

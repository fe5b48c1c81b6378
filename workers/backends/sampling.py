"""Sampling options as people give them, checked once for every backend that generates."""

from __future__ import annotations

from typing import Any

from workers.backends.base import Run
from workers.errors import ProviderRefusedError

_RANGES = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}
MAX_STOPS = 4
MAX_STOP_CHARACTERS = 100


def sampling(run: Run) -> dict[str, Any]:
    """The sampling options of `run`, by their names in the OpenAI protocol; everything else is left out.

    `max_tokens` is always there and never above `run.max_output_tokens`; `stop` is a list.
    Raises `ProviderRefusedError` for a value that no model could take.
    """
    given = {name: value for name, value in run.options.items() if value is not None}
    options: dict[str, Any] = {
        name: _number(name, given[name], *limits) for name, limits in _RANGES.items() if name in given
    }
    if "seed" in given:
        options["seed"] = _whole_number("seed", given["seed"], -(2**63))
    if stops := _stops(given.get("stop", [])):
        options["stop"] = stops
    wanted = _whole_number("max_tokens", given.get("max_tokens", run.max_output_tokens), 1)
    return {**options, "max_tokens": min(wanted, run.max_output_tokens)}


def _number(name: str, value: object, low: int, high: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ProviderRefusedError(f"The option {name} must be a number from {low} to {high}.")
    return value


def _whole_number(name: str, value: object, low: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value < 2**63:
        raise ProviderRefusedError(f"The option {name} must be a whole number of at least {low}.")
    return value


def _stops(value: object) -> list[str]:
    stops = [value] if isinstance(value, str) else value
    if (
        not isinstance(stops, list)
        or len(stops) > MAX_STOPS
        or not all(isinstance(stop, str) and 0 < len(stop) <= MAX_STOP_CHARACTERS for stop in stops)
    ):
        raise ProviderRefusedError(
            f"The option stop must be a list of up to {MAX_STOPS} texts of up to {MAX_STOP_CHARACTERS} characters."
        )
    return stops

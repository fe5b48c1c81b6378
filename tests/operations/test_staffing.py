"""The number of workers that a load needs, held against published values."""

from __future__ import annotations

import math

import pytest

from chatsite.operations.staffing import Load, slots_needed, wait_within, waiting_probability

# "Erlang C Formula - Made Simple With an Easy Worked Example" (Call Centre Helper): 100 calls in half an hour, of three
# minutes each. Agents; probability of waiting; calls answered within 20 s.
CALLS = Load(100 / 1800, 180)
PUBLISHED_CALLS = [(11, 0.682, 0.390), (13, 0.285, 0.796), (14, 0.174, 0.888)]
# The emergency room of Hillier and Lieberman, "Introduction to Operations Research", chapter on queueing: two patients
# an hour, twenty minutes each. Two doctors: a sixth of the patients wait.
EMERGENCIES = Load(2 / 3600, 1200)


@pytest.mark.parametrize(("slots", "probability", "within_20_s"), PUBLISHED_CALLS)
def test_it_agrees_with_the_published_call_centre(slots: int, probability: float, within_20_s: float) -> None:
    assert waiting_probability(CALLS, slots) == pytest.approx(probability, abs=0.0005)
    assert wait_within(CALLS, slots, within_20_s) == pytest.approx(20, abs=0.5)


def test_fourteen_agents_are_the_published_answer() -> None:
    assert slots_needed(CALLS, 20, share=0.8) == 14


def test_it_agrees_with_the_published_emergency_room() -> None:
    assert waiting_probability(EMERGENCIES, 2) == pytest.approx(1 / 6)
    assert waiting_probability(EMERGENCIES, 1) == pytest.approx(2 / 3)


def test_too_few_slots_never_keep_up() -> None:
    assert waiting_probability(CALLS, 10) == 1
    assert wait_within(CALLS, 10, 0.95) == math.inf


def test_no_load_needs_nobody() -> None:
    assert slots_needed(Load(0, 10), 1, share=0.95) == 0
    assert waiting_probability(Load(0, 10), 1) == 0


@pytest.mark.parametrize("load", [CALLS, EMERGENCIES, Load(40, 20)])
@pytest.mark.parametrize("seconds", [0, 1, 30])
def test_it_finds_the_fewest(load: Load, seconds: float) -> None:
    slots = slots_needed(load, seconds, share=0.95)
    assert wait_within(load, slots, 0.95) <= seconds
    assert slots == 1 or wait_within(load, slots - 1, 0.95) > seconds


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        slots_needed(CALLS, 1, share=1)
    with pytest.raises(ValueError, match="negative"):
        slots_needed(CALLS, -1, share=0.9)
    with pytest.raises(ValueError, match="more than 20,000"):
        slots_needed(Load(1000, 1000), 1, share=0.9)

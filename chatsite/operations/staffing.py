"""How many workers a load needs: the queue M/M/c, with Erlang's formula for the probability of waiting.

Messages come independently of one another (Poisson), `arrivals_per_second` of them; an answer takes `service_seconds`
in the mean, with the spread of an exponential distribution; whoever comes takes the first free slot, or waits in turn.
Source: A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic telephone
exchanges", Elektrotkeknikeren 13 (1917); the recursion for the loss formula and the distribution of the wait as in
R. B. Cooper, "Introduction to Queueing Theory" (2nd ed. 1981), sections 3.3 and 3.4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST_SLOTS = 20_000


@dataclass(frozen=True)
class Load:
    """What comes to a queue."""

    arrivals_per_second: float
    service_seconds: float

    @property
    def erlangs(self) -> float:
        """How many slots are busy in the mean: fewer than that, and the queue grows without end."""
        return self.arrivals_per_second * self.service_seconds


def waiting_probability(load: Load, slots: int) -> float:
    """The probability that a message finds every slot taken (Erlang C). 1 if there are too few slots to keep up."""
    offered = load.erlangs
    if offered <= 0:
        return 0.0
    if slots <= offered:
        return 1.0
    blocked = 1.0  # Erlang B for no slot at all, then for one more each time
    for count in range(1, slots + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked / (1 - offered / slots * (1 - blocked))


def wait_within(load: Load, slots: int, share: float) -> float:
    """The number of seconds within which `share` (0 to 1) of the messages are taken; infinite with too few slots."""
    waiting = waiting_probability(load, slots)
    if waiting <= 1 - share:
        return 0.0
    spare = slots - load.erlangs
    return math.log(waiting / (1 - share)) * load.service_seconds / spare if spare > 0 else math.inf


def slots_needed(load: Load, wait_seconds: float, share: float) -> int:
    """The fewest slots with which `share` of the messages wait for `wait_seconds` at most.

    Raises `ValueError` for a share outside 0 to 1 (both excluded), a negative wait, or more than 20,000 slots.
    """
    if not 0 < share < 1 or wait_seconds < 0:
        raise ValueError("A share lies between 0 and 1, and no wait is negative.")
    few, enough = math.floor(load.erlangs), math.floor(load.erlangs) + 1  # `few` never keeps up
    while wait_within(load, enough, share) > wait_seconds:
        few, enough = enough, enough * 2
        if enough > MOST_SLOTS:
            raise ValueError(f"This load needs more than {MOST_SLOTS:,} slots.")
    while enough - few > 1:
        middle = (few + enough) // 2
        if wait_within(load, middle, share) > wait_seconds:
            few = middle
        else:
            enough = middle
    return enough if load.erlangs > 0 else 0

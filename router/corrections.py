"""How much each correction counts when the classifier learns from them, so that nobody moves the router alone.

Corrections of one kind (those that belong on the same role, or on the same route) are counted by the person. Of all
weight of a kind, one person has at most a third: their corrections count less the more of them there are. It takes
three people who say the same to be heard in full. With fewer, a third of nothing is nothing, so everybody has
`ALONE` in any case: enough to tip a message that the classifier hesitates over, and too little to turn one that it
is sure of (`tests/router/test_correction_weights.py` shows both).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

PEOPLE = 3  # who together are heard in full
ALONE = 0.2  # what all corrections of one person weigh together while fewer people say so


def weights(corrections: Sequence[tuple[Hashable, Hashable]], alone: float = ALONE) -> list[float]:
    """The weight of each correction, 0 to 1. A correction is given as its person and its kind."""
    counts: defaultdict[Hashable, Counter[Hashable]] = defaultdict(Counter)
    for person, kind in corrections:
        counts[kind][person] += 1
    caps = {kind: max(alone, _cap(list(people.values()))) for kind, people in counts.items()}
    return [min(1.0, caps[kind] / counts[kind][person]) for person, kind in corrections]


def _cap(counts: Sequence[int]) -> float:
    """The largest weight that a person can have without having more than their share of all.

    With a cap c that j people reach and the rest of which have R together, the share holds while c <= (j * c + R) / 3.
    The j that binds is the one that allows least.
    """
    ranked = sorted(counts, reverse=True)
    return min(sum(ranked[above:]) / (PEOPLE - above) for above in range(PEOPLE))

"""How often a process looks for objects that only refer to each other (Python's garbage collection)."""

from __future__ import annotations

import gc

# New objects until the new ones are looked through, and how many such looks until older ones are too. Python's 700 make
# it look several times for each query; what it stops meanwhile is what answers are streamed with.
THRESHOLDS = (20_000, 10, 10)


def look_less_often() -> None:
    """Call it when the code is loaded: nothing of that is looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)

"""From publishing to each process deciding with the new revision.

    python -m bench.publishing --processes 3 --rounds 20

Starts light workers of its own over a database and a Redis of its own, publishes again and again, prints one JSON
object and ends everything. A process has switched when it says so in its row, so the time to write that is in it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from contextlib import ExitStack

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from router.models import Route, RunningProcess  # noqa: E402
from router.revisions import publish  # noqa: E402
from tests import processes  # noqa: E402

CHECK_SECONDS = "0.5"  # as installed; the suite's own workers look at every message
NEW_EXAMPLES = 20


def change_threshold(number: int) -> None:
    """A change for which nothing has to be embedded."""
    Route.objects.filter(name="classify").update(threshold=number / 1000)


def add_examples(number: int) -> None:
    """A change that each process embeds new texts for."""
    route = Route.objects.get(name="classify")
    for place in range(NEW_EXAMPLES):
        route.examples.create(text=f"example {place} of round {number}: is this a bill or a letter?")


def seconds_to_switch(count: int) -> list[float]:
    """Publish the draft; how long each process took."""
    revision = publish(None, "benchmark").number
    began = time.monotonic()
    switched: dict[str, float] = {}
    while len(switched) < count:
        for name in RunningProcess.objects.filter(live=revision).values_list("name", flat=True):
            switched.setdefault(name, time.monotonic() - began)
        if time.monotonic() - began > 30:
            raise TimeoutError(f"Only {len(switched)} of {count} processes have switched within 30 s.")
        time.sleep(0.005)
    return list(switched.values())


def summary(seconds: list[float]) -> dict[str, float]:
    return {"p50_ms": round(statistics.median(seconds) * 1000), "max_ms": round(max(seconds) * 1000)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=20, help="publications of each kind")
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    call_command("load_defaults", verbosity=0)
    figures: dict[str, object] = {"processes": options.processes, "publications_of_each_kind": options.rounds}
    with ExitStack() as stack:
        for _ in range(options.processes):
            stack.enter_context(processes.worker("route", concurrency=4, POLICY_CHECK_SECONDS=CHECK_SECONDS))
        seconds_to_switch(options.processes)
        for title, change in (("threshold", change_threshold), (f"{NEW_EXAMPLES} new examples", add_examples)):
            seconds = []
            for number in range(options.rounds):
                change(number)
                time.sleep(random.uniform(0, 0.5))  # somewhere between two looks of the processes
                seconds += seconds_to_switch(options.processes)
            figures[title] = summary(seconds)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

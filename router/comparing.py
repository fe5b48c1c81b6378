"""Whether a canary is worse than the live revision by more than a margin: the tests behind the automatic rollback.

Shares (failed answers, wrong routes) are compared by the one-sided likelihood-ratio test of two proportions with a
margin (Wilks 1938, Annals of Mathematical Statistics 9:60), at the estimate of Farrington and Manning (1990,
Statistics in Medicine 9:1447) under the hypothesis that the canary is worse by just the margin. Their own score test
uses the same estimate, but its normal tail is too thin where a small sample meets a large one. Simulated at 27 rates,
margins and sizes, looking at each of 300 answers, it took back up to 13 % of sound canaries at a nominal 5 %, and the
likelihood ratio up to 6 %; with `alpha` divided among six tests, as it is in use, 5 % and 1 %.

Times are compared by the one-sided rank-sum test (Mann and Whitney 1947, Annals of Mathematical Statistics 18:50) with
the live ones multiplied by the ratio that is allowed.

A canary is looked at again and again, so look k may err with a probability of alpha * 6 / (pi * k)^2 only: over any
number of looks that is alpha at most (the union bound; the sum of 1/k^2 is pi^2 / 6). The tests of one look share it.

The tests take answers for independent. Those of one conversation are not quite, so a canary may look a little surer
to be worse than it is; the margins are there for that too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

ALPHA = 0.05
LEAST_ANSWERS = 10  # of each revision: fewer are not compared


@dataclass(frozen=True)
class Sample:
    """What was seen of one revision."""

    answers: int = 0  # that ended, and that nobody stopped
    errors: int = 0  # of those
    decisions: int = 0
    wrong_routes: int = 0  # of those
    seconds: Sequence[float] = ()  # each answer's, from the message to the first token

    @property
    def median_seconds(self) -> float | None:
        return median(self.seconds) if self.seconds else None


@dataclass(frozen=True)
class Margins:
    """How much worse a canary may be: two differences of shares (0 to 1), and a ratio of times."""

    errors: float
    wrong_routes: float
    latency: float


@dataclass(frozen=True)
class Comparison:
    """How likely what was seen is if the canary is within the margins (p-values). None: too little was seen to tell."""

    errors: float | None = None
    wrong_routes: float | None = None
    latency: float | None = None
    limit: float = 0.0  # a probability below it is sure enough
    worse: tuple[str, ...] = ()  # the measures that are worse, by name

    @property
    def is_made(self) -> bool:
        """Whether anything could be told."""
        return any(p_value is not None for p_value in (self.errors, self.wrong_routes, self.latency))


def compare(canary: Sample, live: Sample, margins: Margins, alpha: float) -> Comparison:
    """Compare two samples; the three tests together err with a probability of `alpha` at most."""
    p_values = {
        "errors": share_p_value(canary.errors, canary.answers, live.errors, live.answers, margins.errors),
        "wrong_routes": share_p_value(
            canary.wrong_routes, canary.decisions, live.wrong_routes, live.decisions, margins.wrong_routes
        ),
        "latency": latency_p_value(canary.seconds, live.seconds, margins.latency),
    }
    limit = alpha / len(p_values)
    worse = tuple(measure for measure, p_value in p_values.items() if p_value is not None and p_value < limit)
    return Comparison(**p_values, limit=limit, worse=worse)


def alpha_of_look(number: int, alpha: float = ALPHA) -> float:
    """The probability with which look `number` (from 1) may err, so that all looks together stay below `alpha`."""
    return alpha * 6 / (math.pi * number) ** 2


def share_p_value(worse: int, of: int, live_worse: int, live_of: int, margin: float) -> float | None:
    """How likely such counts, or clearer ones, are if the first share is larger by `margin` at most.

    None for fewer than `LEAST_ANSWERS` on either side.
    """
    if min(of, live_of) < LEAST_ANSWERS:
        return None
    share, live_share = worse / of, live_worse / live_of
    if share - live_share <= margin:
        return 1.0
    at_live = restricted_share(worse, of, live_worse, live_of, margin)
    deviance = 2 * (of * _divergence(share, at_live + margin) + live_of * _divergence(live_share, at_live))
    return _upper_tail(math.sqrt(max(deviance, 0)))


def restricted_share(worse: int, of: int, live_worse: int, live_of: int, margin: float) -> float:
    """The likeliest live share if the other one is larger by just `margin`: a root of a cubic."""
    share, live_share, ratio = worse / of, live_worse / live_of, live_of / of
    a = 1 + ratio
    b = -(1 + ratio + share + ratio * live_share + margin * (ratio + 2))
    c = margin**2 + margin * (2 * share + ratio + 1) + share + ratio * live_share
    d = -share * margin * (1 + margin)
    v = b**3 / (3 * a) ** 3 - b * c / (6 * a**2) + d / (2 * a)
    u = math.copysign(math.sqrt(max(b**2 / (3 * a) ** 2 - c / (3 * a), 0)), v)
    w = (math.pi + math.acos(max(-1.0, min(1.0, v / u**3)))) / 3 if u else math.pi / 2
    return min(max(2 * u * math.cos(w) - b / (3 * a) - margin, 0.0), 1 - margin)


def latency_p_value(seconds: Sequence[float], live_seconds: Sequence[float], ratio: float) -> float | None:
    """How likely such times, or longer ones, are if they are `ratio` times the live ones. None as above.

    The normal approximation, with the corrections for ties and for continuity.
    """
    count, live_count = len(seconds), len(live_seconds)
    if min(count, live_count) < LEAST_ANSWERS:
        return None
    allowed = [ratio * each for each in live_seconds]
    ranks, ties = _ranks([*seconds, *allowed])
    larger = sum(ranks[each] for each in seconds) - count * (count + 1) / 2
    total = count + live_count
    variance = count * live_count / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:  # all times are the same
        return 1.0
    return _upper_tail((larger - count * live_count / 2 - 0.5) / math.sqrt(variance))


def _ranks(values: Sequence[float]) -> tuple[dict[float, float], float]:
    """The mean rank of each value, and the sum of t^3 - t over its groups of t equal ones."""
    ranks, ties, before = {}, 0.0, 0
    for value, times in sorted(Counter(values).items()):
        ranks[value] = before + (times + 1) / 2
        ties += times**3 - times
        before += times
    return ranks, ties


def _divergence(seen: float, expected: float) -> float:
    """Of one Bernoulli distribution from another (Kullback and Leibler), in nats; infinite if `seen` is impossible."""
    return _term(seen, expected) + _term(1 - seen, 1 - expected)


def _term(seen: float, expected: float) -> float:
    if seen <= 0:
        return 0.0
    return seen * math.log(seen / expected) if expected > 0 else math.inf


def _upper_tail(deviation: float) -> float:
    """The probability that a standard normal value is larger; exact far out too."""
    return math.erfc(deviation / math.sqrt(2)) / 2

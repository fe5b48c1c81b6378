"""A canary is taken back when it is worse by more than the margin, and hardly ever when it is not."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from router.comparing import (
    ALPHA,
    LEAST_ANSWERS,
    Margins,
    Sample,
    alpha_of_look,
    compare,
    latency_p_value,
    restricted_share,
    share_p_value,
)

MARGINS = Margins(errors=0.05, wrong_routes=0.05, latency=1.5)
TABLES = [
    (9, 40, 3, 50, 0.05),
    (10, 10, 0, 10, 0.05),
    (4, 10, 10, 190, 0.05),
    (60, 200, 55, 210, 0.0),
    (5, 30, 0, 9, 0.1),
]


def log_likelihood(live: float, worse: int, of: int, live_worse: int, live_of: int, margin: float) -> float:
    return float(stats.binom.logpmf(worse, of, live + margin) + stats.binom.logpmf(live_worse, live_of, live))


@pytest.mark.parametrize("table", TABLES)
def test_the_restricted_estimate_is_the_likeliest_one(table: tuple[int, int, int, int, float]) -> None:
    margin = table[-1]
    searched = optimize.minimize_scalar(
        lambda live: -log_likelihood(live, *table), bounds=(0, 1 - margin), method="bounded", options={"xatol": 1e-10}
    )
    assert restricted_share(*table) == pytest.approx(searched.x, abs=1e-6)


def test_the_test_of_shares_is_the_likelihood_ratio() -> None:
    worse, of, live_worse, live_of, _ = table = TABLES[0]
    at_best = stats.binom.logpmf(worse, of, worse / of) + stats.binom.logpmf(live_worse, live_of, live_worse / live_of)
    deviance = 2 * (at_best - log_likelihood(restricted_share(*table), *table))
    assert share_p_value(*table) == pytest.approx(stats.norm.sf(math.sqrt(deviance)))


@pytest.mark.parametrize(("worse", "of"), [(4, 10), (6, 10), (8, 20), (12, 40)])
def test_the_far_tail_is_near_the_exact_one_where_the_live_share_is_known(worse: int, of: int) -> None:
    """There approximations go wrong, and there the late looks decide; a score test is off by millions."""
    p_value = share_p_value(worse, of, 0, 10**6, 0.05)
    exact = stats.binom.sf(worse - 1, of, 0.05)
    assert p_value is not None
    assert exact / 4 < p_value < exact * 4


@pytest.mark.parametrize("ratio", [1.0, 1.5])
def test_the_test_of_times_is_the_rank_sum_test(ratio: float) -> None:
    rng = random.Random(3)
    seconds = [round(rng.lognormvariate(0.9, 0.5), 1) for _ in range(40)]  # rounded, so that there are ties
    live_seconds = [round(rng.lognormvariate(0.3, 0.5), 1) for _ in range(70)]
    expected = stats.mannwhitneyu(
        seconds, [ratio * each for each in live_seconds], alternative="greater", method="asymptotic"
    )
    assert latency_p_value(seconds, live_seconds, ratio) == pytest.approx(expected.pvalue)


@given(st.integers(10, 300), st.integers(10, 300), st.floats(0, 1), st.data())
def test_any_counts_give_a_probability(of: int, live_of: int, margin: float, data: st.DataObject) -> None:
    worse, live_worse = data.draw(st.integers(0, of)), data.draw(st.integers(0, live_of))
    p_value = share_p_value(worse, of, live_worse, live_of, margin)
    assert p_value is not None
    assert 0 <= p_value <= 1
    if Fraction(worse, of) - Fraction(live_worse, live_of) <= margin:
        assert p_value == 1


def test_too_few_answers_tell_nothing() -> None:
    few = LEAST_ANSWERS - 1
    assert share_p_value(few, few, 0, 100, 0.05) is None
    assert latency_p_value([9.0] * few, [1.0] * 100, 1.5) is None
    assert not compare(
        Sample(few, few, few, few, [9.0] * few), Sample(100, 0, 100, 0, [1.0] * 100), MARGINS, 0.05
    ).is_made


def test_times_that_are_all_the_same_are_not_worse() -> None:
    assert latency_p_value([1.0] * 20, [1.0] * 20, 1.0) == 1


def test_each_measure_is_found_by_itself() -> None:
    good = Sample(answers=40, errors=1, decisions=40, wrong_routes=1, seconds=[1.0 + n / 40 for n in range(40)])
    assert compare(good, good, MARGINS, ALPHA).worse == ()
    assert compare(Sample(20, 12, 40, 1, good.seconds), good, MARGINS, ALPHA).worse == ("errors",)
    assert compare(Sample(40, 1, 40, 20, good.seconds), good, MARGINS, ALPHA).worse == ("wrong_routes",)
    slow = [3 * each for each in good.seconds]
    assert compare(Sample(40, 1, 40, 1, slow), good, MARGINS, ALPHA).worse == ("latency",)


def test_fourteen_answers_that_all_fail_are_enough_at_any_of_a_thousand_looks() -> None:
    p_value = share_p_value(14, 14, 0, 30, 0.05)
    assert p_value is not None
    assert p_value < alpha_of_look(1000) / 6


def test_all_looks_together_err_as_seldom_as_one_may() -> None:
    assert sum(alpha_of_look(number) for number in range(1, 100_000)) == pytest.approx(ALPHA, rel=1e-4)
    assert sum(alpha_of_look(number) for number in range(1, 100_000)) < ALPHA


@pytest.mark.parametrize(("rate", "worse_by", "beside"), [(0.05, 0.0, 1), (0.02, 0.05, 4), (0.0, 0.05, 19)])
def test_a_canary_within_the_margins_is_hardly_ever_taken_back(rate: float, worse_by: float, beside: int) -> None:
    """Looked at after every fifth answer; `beside` live answers come for each of the canary's."""
    rng = random.Random(20)
    rollbacks, runs = 0, 300
    for _ in range(runs):
        rollbacks += is_taken_back(rng, rate, worse_by, beside)
    assert rollbacks <= ALPHA * runs


def is_taken_back(rng: random.Random, rate: float, worse_by: float, beside: int) -> bool:
    errors = live_errors = 0
    for number, answers in enumerate(range(5, 200, 5), start=1):
        errors += sum(rng.random() < rate + worse_by for _ in range(5))
        live_errors += sum(rng.random() < rate for _ in range(5 * beside))
        p_value = share_p_value(errors, answers, live_errors, answers * beside, 0.05)
        if p_value is not None and p_value < alpha_of_look(number):
            return True
    return False

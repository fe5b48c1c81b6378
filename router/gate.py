"""The gate: before a draft goes live, it decides the labelled messages beside the live revision.

A draft whose accuracy or macro-F1 on them is worse by more than the margin does not pass. Messages that one of the
two classifiers was fitted on tell nothing, and are left out; so are those of routes that neither of the two has. A
route that the draft takes away takes its messages along: they count as mistakes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from router import metrics
from router.decision import UnknownRouteError, decide_for_anybody, remembering
from router.labelled import Case
from router.policy import Choice, Embed, Policy, Request

Advance = Callable[[int, int], None]  # told how many are done, of how many

SHOWN_CASES = 200
SHOWN_TEXT = 300
NOBODY = ""  # the route of a message whose command a policy does not know: the person is told so

__all__ = ["Case", "Figures", "Judged", "Verdict", "judge"]


@dataclass(frozen=True)
class Figures:
    """How one policy did: shares of 0 to 1, and how often each route was taken for each."""

    accuracy: float
    macro_f1: float
    confusion: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Judged:
    """What became of one case. `score` is the draft's for the route that it took, None where a rule took it."""

    text: str
    route: str
    live: str
    draft: str
    score: float | None
    context: str = ""

    def as_data(self) -> dict[str, Any]:
        """JSON-ready, with long texts cut."""
        return asdict(self) | {"text": _cut(self.text), "context": _cut(self.context)}


@dataclass(frozen=True)
class Verdict:
    """What the gate found. `margin` is in percentage points."""

    count: int
    fitted: int  # left out: a classifier was fitted on them
    without_route: int  # left out: neither of the two has their route
    margin: float
    draft: Figures
    live: Figures | None  # None where nothing is live
    titles: dict[str, str]
    on_known_routes: float = 0.0  # what accuracy gains on the routes that are live: a new route hides no loss there
    flips: list[Judged] = field(default_factory=list)  # decided otherwise by the draft, for the worse first
    mistakes: list[Judged] = field(default_factory=list)  # of the draft, the surest first

    @property
    def left_out(self) -> int:
        return self.fitted + self.without_route

    @property
    def gain_on_known_routes(self) -> float | None:
        """What accuracy gains on the routes that are live, where that is not what it gains on all."""
        if self.live is None or math.isclose(
            self.on_known_routes, self.draft.accuracy - self.live.accuracy, abs_tol=1e-9
        ):
            return None
        return self.on_known_routes

    @property
    def passes(self) -> bool:
        """Whether the draft may be published."""
        if self.live is None or not self.count:
            return True
        worst = min(
            self.draft.accuracy - self.live.accuracy, self.draft.macro_f1 - self.live.macro_f1, self.on_known_routes
        )
        return 100 * worst >= -self.margin - 1e-9

    @property
    def failing(self) -> list[Judged]:
        """What the live revision has right and the draft has wrong."""
        return [flip for flip in self.flips if flip.live == flip.route]

    @property
    def mended(self) -> list[Judged]:
        """What the live revision has wrong and the draft has right."""
        return [flip for flip in self.flips if flip.draft == flip.route]

    def as_data(self) -> dict[str, Any]:
        """Everything as JSON-ready data; long lists and texts are cut."""
        lists = {"failing": self.failing, "flips": self.flips, "mistakes": self.mistakes}
        return {
            "passes": self.passes,
            "count": self.count,
            "left_out": self.left_out,
            "fitted": self.fitted,
            "without_route": self.without_route,
            "margin": self.margin,
            "draft": asdict(self.draft),
            "live": self.live and asdict(self.live),
            "gain_on_known_routes": self.gain_on_known_routes,
            "titles": self.titles,
            **{name: [case.as_data() for case in cases[:SHOWN_CASES]] for name, cases in lists.items()},
            **{f"{name}_count": len(cases) for name, cases in lists.items()},
            "mended_count": len(self.mended),
            "neither_count": len(self.flips) - len(self.failing) - len(self.mended),
        }

    def summary(self) -> dict[str, Any]:
        """What a revision keeps of it."""
        live = self.live and {"accuracy": self.live.accuracy, "macro_f1": self.live.macro_f1}
        draft = {"accuracy": self.draft.accuracy, "macro_f1": self.draft.macro_f1}
        return {"count": self.count, "passes": self.passes, "margin": self.margin, "draft": draft, "live": live}


def judge(
    cases: Iterable[Case], draft: Policy, live: Policy | None, embed: Embed, margin: float, advance: Advance
) -> Verdict:
    """Decide all cases with the draft, and with the live policy if there is one. Deterministic."""
    names = {route.name for policy in (draft, live) if policy for route in policy.routes}
    fitted_on = {mark for each in (draft, live) if each for mark in each.classifier.metadata.get("fitted_on", ())}
    with_route, without_route = _parted(cases, lambda case: case.route in names)
    used, fitted = _parted(with_route, lambda case: case.fingerprint not in fitted_on)
    embed = remembering(embed)
    drafted, lived = [], []
    for done, case in enumerate(used, start=1):
        drafted.append(_choose(case, draft, embed))
        lived.append(_choose(case, live, embed) if live else drafted[-1])
        advance(done, len(used))
    judged = [
        Judged(case.text, case.route, now.route, new.route, new.scores.get(new.route), case.context)
        for case, now, new in zip(used, lived, drafted, strict=True)
    ]
    titles = {route.name: route.title for policy in (live, draft) if policy for route in policy.routes}
    return Verdict(
        count=len(used),
        fitted=len(fitted),
        without_route=len(without_route),
        margin=margin,
        draft=_figures(used, drafted, titles),
        live=_figures(used, lived, titles) if live else None,
        titles=titles,
        on_known_routes=_gain_on(judged, {route.name for route in live.routes} if live else set()),
        flips=sorted((case for case in judged if case.live != case.draft), key=_gain),
        mistakes=sorted((case for case in judged if case.draft != case.route), key=_sureness, reverse=True),
    )


def _gain_on(judged: Sequence[Judged], routes: Collection[str]) -> float:
    known = [_gain(case) for case in judged if case.route in routes]
    return sum(known) / max(1, len(known))


def _parted(cases: Iterable[Case], belongs: Callable[[Case], bool]) -> tuple[list[Case], list[Case]]:
    """The cases that belong, and the others."""
    parts: tuple[list[Case], list[Case]] = ([], [])
    for case in cases:
        parts[not belongs(case)].append(case)
    return parts


def _choose(case: Case, policy: Policy, embed: Embed) -> Choice:
    request = Request(case.text, context=case.context)
    try:
        return decide_for_anybody(request, policy, embed)
    except UnknownRouteError:
        return Choice(NOBODY, "", "explicit")


def _figures(cases: Sequence[Case], choices: Sequence[Choice], titles: Iterable[str]) -> Figures:
    taken = [choice.route for choice in choices]
    names = [*titles, *([NOBODY] if NOBODY in taken else [])]
    scores = metrics.scores([case.route for case in cases], taken, names)
    return Figures(scores["accuracy"], scores["macro_f1"], scores["confusion"])


def _gain(case: Judged) -> int:
    """-1 where only the live revision is right, 1 where only the draft is, 0 where neither is."""
    return (case.draft == case.route) - (case.live == case.route)


def _sureness(case: Judged) -> float:
    """A rule does not doubt."""
    return math.inf if case.score is None else case.score


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_TEXT else text[: SHOWN_TEXT - 1] + "…"

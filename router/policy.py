"""What a decision is made from and what comes out of it: plain values, no I/O.

The web tier imports this module too, so numpy is only named here, never loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from router.classifier import RoleClassifier

# Texts to unit-length vectors: a float32 array with one row per text.
Embed = Callable[[Sequence[str]], "npt.NDArray[np.float32]"]
# A message's text and context to the logit of each role.
Adapted = Callable[[str, str], "npt.NDArray[np.float32]"]

NONE: frozenset[str] = frozenset()


class Matches(Protocol):
    """Tells whether a message of this text, with files of these kinds, meets a condition."""

    def __call__(self, text: str, attached: frozenset[str] = NONE, /) -> bool: ...


class Encoder(Protocol):
    """What embeds texts, and makes copies of itself that are tuned by an artefact's tensors."""

    def __call__(self, texts: Sequence[str], /) -> npt.NDArray[np.float32]: ...

    def adapted(self, tensors: Mapping[str, npt.NDArray[Any]], /) -> Adapted: ...


@dataclass(frozen=True)
class Request:
    """What the router is told about a message.

    `text` includes that of its files; `attached` are their kinds. `context` is the beginning of the previous answer, if
    there is one; `groups` are those of the person who wrote.
    """

    text: str
    wanted_route: str = ""
    context: str = ""
    groups: frozenset[int] = frozenset()
    attached: frozenset[str] = NONE


@dataclass(frozen=True)
class Choice:
    """The route that a message gets, with all that the choice rested on. Equal inputs give equal choices.

    `scores` has every route's probability. `score` and `threshold` are those of the route that scored best: with
    the strategy `default` it fell short of its threshold, and another route answers.
    """

    route: str
    role: str
    strategy: str
    score: float | None = None
    threshold: float | None = None
    scores: dict[str, float] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RouteSpec:
    """A route as a revision fixed it."""

    name: str
    title: str
    description: str
    role: str
    threshold: float
    is_default: bool
    model_ids: tuple[int, ...]
    prompt_template: str
    options: dict[str, Any]
    labels: list[dict[str, Any]]
    groups: frozenset[int] = frozenset()  # who may use it; empty: everybody


@dataclass(frozen=True)
class RuleSpec:
    """A rule as a revision fixed it, ready to be asked."""

    route: str
    kind: str
    value: str
    matches: Matches


@dataclass(frozen=True)
class Anchor:
    """A text that stands for a route: one of its example messages, or its description.

    As a reason, people are shown only what may be quoted: not descriptions, and not what somebody else wrote.
    """

    route: str
    text: str
    is_quoted: bool


@dataclass(frozen=True, eq=False)
class Policy:
    """A compiled revision. `rules` are in the order in which they are tried, over all routes."""

    revision: int
    routes: tuple[RouteSpec, ...]
    rules: tuple[RuleSpec, ...]
    classifier: RoleClassifier
    anchors: tuple[Anchor, ...]
    anchor_vectors: npt.NDArray[np.float32]
    model_groups: Mapping[int, frozenset[int]] = field(default_factory=dict)  # of the models that not all may use

    def route(self, name: str) -> RouteSpec:
        """The enabled route of that name. Raises `KeyError`."""
        for route in self.routes:
            if route.name == name:
                return route
        raise KeyError(name)

    @property
    def default_route(self) -> RouteSpec:
        return next(route for route in self.routes if route.is_default)

    def restricted(self, groups: frozenset[int]) -> Policy:
        """The policy as somebody in these groups meets it.

        Routes and models that they may not use are not in it, nor rules and examples that lead there: no strategy
        can choose, score or name what is not there.
        """
        routes = permitted(self.routes, self.model_groups, groups)
        if routes == self.routes:
            return self
        names = {route.name for route in routes}
        kept = [index for index, anchor in enumerate(self.anchors) if anchor.route in names]
        return replace(
            self,
            routes=routes,
            rules=tuple(rule for rule in self.rules if rule.route in names),
            anchors=tuple(self.anchors[index] for index in kept),
            anchor_vectors=self.anchor_vectors[kept],
        )


def permitted(
    routes: Iterable[RouteSpec], model_groups: Mapping[int, frozenset[int]], groups: frozenset[int]
) -> tuple[RouteSpec, ...]:
    """The routes that somebody in `groups` may use, each with the models that they may use.

    The default route is for everybody, if need be without a model.
    """
    return tuple(filter(None, (_permitted(route, model_groups, groups) for route in routes)))


def _permitted(
    route: RouteSpec, model_groups: Mapping[int, frozenset[int]], groups: frozenset[int]
) -> RouteSpec | None:
    if route.groups and not route.groups & groups and not route.is_default:
        return None
    models = tuple(pk for pk in route.model_ids if pk not in model_groups or model_groups[pk] & groups)
    if models == route.model_ids:
        return route
    return replace(route, model_ids=models) if models or route.is_default else None


def routes_of(snapshot: Mapping[str, Any]) -> tuple[RouteSpec, ...]:
    """The routes of a snapshot (see `router.drafts.snapshot`)."""
    return tuple(
        RouteSpec(
            name=route["name"],
            title=route["title"],
            description=route["description"],
            role=route["role"],
            threshold=route["threshold"],
            is_default=route["is_default"],
            model_ids=tuple(route["models"]),
            prompt_template=route["prompt_template"],
            options=route["options"],
            labels=route["labels"],
            groups=frozenset(route.get("groups", ())),
        )
        for route in snapshot.get("routes", [])
    )


def model_groups_of(snapshot: Mapping[str, Any]) -> dict[int, frozenset[int]]:
    """Who may use the models of a snapshot that not everybody may use."""
    return {int(pk): frozenset(groups) for pk, groups in snapshot.get("model_groups", {}).items()}

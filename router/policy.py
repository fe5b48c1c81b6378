"""What a decision is made from and what comes out of it: plain values, no I/O.

The web tier imports this module too, so numpy is only named here, never loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from router.classifier import RoleClassifier

# Texts to unit-length vectors: a float32 array with one row per text.
Embed = Callable[[Sequence[str]], "npt.NDArray[np.float32]"]
# A message's text and context to the logit of each role.
Adapted = Callable[[str, str], "npt.NDArray[np.float32]"]


class Encoder(Protocol):
    """What embeds texts, and makes copies of itself that are tuned by an artefact's tensors."""

    def __call__(self, texts: Sequence[str], /) -> npt.NDArray[np.float32]: ...

    def adapted(self, tensors: Mapping[str, npt.NDArray[Any]], /) -> Adapted: ...


@dataclass(frozen=True)
class Request:
    """What the router is told about a message. `context` is the previous answer's text, if there is one."""

    text: str
    wanted_route: str = ""
    context: str = ""


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


@dataclass(frozen=True)
class RuleSpec:
    """A rule as a revision fixed it, ready to be asked."""

    route: str
    kind: str
    value: str
    matches: Callable[[str], bool]


@dataclass(frozen=True)
class Anchor:
    """A text that stands for a route: one of its example messages, or its description."""

    route: str
    text: str
    is_example: bool


@dataclass(frozen=True, eq=False)
class Policy:
    """A compiled revision. `rules` are in the order in which they are tried, over all routes."""

    revision: int
    routes: tuple[RouteSpec, ...]
    rules: tuple[RuleSpec, ...]
    classifier: RoleClassifier
    anchors: tuple[Anchor, ...]
    anchor_vectors: npt.NDArray[np.float32]

    def route(self, name: str) -> RouteSpec:
        """The enabled route of that name. Raises `KeyError`."""
        for route in self.routes:
            if route.name == name:
                return route
        raise KeyError(name)

    @property
    def default_route(self) -> RouteSpec:
        return next(route for route in self.routes if route.is_default)

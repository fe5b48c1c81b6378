"""From a revision, as the database keeps it, to the policy that decisions are made with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from router.classifier import RoleClassifier
from router.features import excerpt
from router.policy import Anchor, Embed, Encoder, Policy, RuleSpec, model_groups_of, routes_of
from router.strategies.rules import compile_rule


def compile_policy(
    snapshot: Mapping[str, Any], artefact: bytes, encoder: Encoder, *, revision: int = 0, known: Policy | None = None
) -> Policy:
    """The policy of a snapshot (see `router.drafts.snapshot`) with the classifier of an artefact.

    The encoder is tuned, and examples and descriptions are embedded, here, once; what the policy `known` has already
    is taken over.
    Raises `ArtefactError` or `InvalidRuleError`.
    """
    routes = snapshot["routes"]
    anchors = tuple(anchor for route in routes for anchor in _anchors(route))
    return Policy(
        revision=revision,
        routes=routes_of(snapshot),
        rules=_rules(routes),
        classifier=_classifier(artefact, encoder, known),
        anchors=anchors,
        anchor_vectors=_vectors(anchors, encoder, known),
        model_groups=model_groups_of(snapshot),
    )


def _classifier(artefact: bytes, encoder: Encoder, known: Policy | None) -> RoleClassifier:
    if known and known.classifier.sha256 == hashlib.sha256(artefact).hexdigest():
        return known.classifier
    return RoleClassifier.load(artefact, encoder)


def _rules(routes: Sequence[Mapping[str, Any]]) -> tuple[RuleSpec, ...]:
    """The rules of all routes by their position; of equal ones, the earlier route's first."""
    rules = [(rule, route["name"]) for route in routes for rule in route["rules"]]
    rules.sort(key=lambda pair: pair[0]["position"])
    return tuple(
        RuleSpec(route, rule["kind"], rule["value"], compile_rule(rule["kind"], rule["value"])) for rule, route in rules
    )


def _anchors(route: Mapping[str, Any]) -> list[Anchor]:
    unquoted = set(route.get("unquoted", ()))
    examples = [Anchor(route["name"], text, is_quoted=text not in unquoted) for text in route["examples"]]
    return [*examples, Anchor(route["name"], route["description"], is_quoted=False)]


def _vectors(anchors: Sequence[Anchor], embed: Embed, known: Policy | None) -> npt.NDArray[np.float32]:
    vectors = {}
    if known:
        vectors = {anchor.text: vector for anchor, vector in zip(known.anchors, known.anchor_vectors, strict=True)}
    for anchor in anchors:  # one at a time: in a batch, a vector depends on its company, by a little
        if anchor.text not in vectors:
            vectors[anchor.text] = embed([excerpt(anchor.text)])[0]
    return np.array([vectors[anchor.text] for anchor in anchors], dtype=np.float32)

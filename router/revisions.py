"""Revisions: the draft that admins edit becomes an immutable snapshot, and every process runs the live one.

A process asks the database for the number of the live revision when it decides and has not asked for half a second:
one indexed row. So a published revision is in force everywhere within that time, with nothing to be told or missed.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from router.artefact import read_metadata
from router.models import Classifier, Revision, Route
from router.policy import Encoder, Policy
from router.strategies.rules import InvalidRuleError, compile_rule
from workers.models import Role

CHECK_INTERVAL_SECONDS = settings.POLICY_CHECK_SECONDS


class InvalidPolicyError(Exception):
    """The routes as they are cannot be published. The text says what to change."""


class NoLiveRevisionError(LookupError):
    """Nothing has been published yet."""


def import_classifier(path: Path | str) -> Classifier:
    """The row of the artefact in a file, made if it is new. Raises `ArtefactError` or `OSError`."""
    content = Path(path).read_bytes()
    classifier, _ = Classifier.objects.get_or_create(
        sha256=hashlib.sha256(content).hexdigest(),
        defaults={"content": content, "metadata": read_metadata(content)},
    )
    return classifier


def snapshot() -> dict[str, Any]:
    """The enabled routes as they are now, as JSON-ready data: what a revision keeps and `compile_policy` reads."""
    return {"routes": [_route_facts(route) for route in _enabled_routes()]}


def publish(author: Any, note: str = "") -> Revision:
    """Make the routes as they are, with the newest classifier, the live revision. Raises `InvalidPolicyError`."""
    with transaction.atomic():
        last = Revision.objects.select_for_update().order_by("-number").first()
        _check(_enabled_routes())
        classifier = Classifier.objects.order_by("-created_at").first()
        if classifier is None:
            raise InvalidPolicyError("There is no classifier yet. Run `manage.py fit_router`, then load the defaults.")
        Revision.objects.filter(is_live=True).update(is_live=False)
        return Revision.objects.create(
            number=last.number + 1 if last else 1,
            snapshot=snapshot(),
            classifier=classifier,
            author=author,
            note=note[:200],
            is_live=True,
        )


def live_policy(encoder: Encoder) -> Policy:
    """The compiled policy of the live revision, at most half a second old. Raises `NoLiveRevisionError`."""
    return _live.policy(encoder)


class _LivePolicy:
    """The policy that this process decides with. Threads share it; a change compiles it once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._policy: Policy | None = None
        self._published: tuple[int, datetime] | None = None
        self._checked_at = 0.0

    def policy(self, encoder: Encoder) -> Policy:
        with self._lock:
            now = time.monotonic()
            if self._policy is None or now - self._checked_at >= CHECK_INTERVAL_SECONDS:
                self._policy = self._refreshed(encoder)
                self._checked_at = now
            return self._policy

    def _refreshed(self, encoder: Encoder) -> Policy:
        # The time tells revisions of the same number apart when a database was restored or replaced.
        live = Revision.objects.filter(is_live=True).values_list("number", "created_at").first()
        if live is None:
            raise NoLiveRevisionError("No routes have been published yet. Run `manage.py load_defaults`.")
        if self._policy is None or self._published != live:
            self._policy = _compiled(live[0], encoder, self._policy)
            self._published = live
        return self._policy


def _compiled(number: int, encoder: Encoder, known: Policy | None) -> Policy:
    from router.compiling import compile_policy  # numpy: only the processes that decide have it

    revision = Revision.objects.select_related("classifier").get(number=number)
    content = bytes(revision.classifier.content)
    return compile_policy(revision.snapshot, content, encoder, revision=number, known=known)


_live = _LivePolicy()


def _route_facts(route: Route) -> dict[str, Any]:
    return {
        "name": route.name,
        "title": route.title,
        "description": route.description,
        "role": route.role,
        "threshold": route.threshold,
        "is_default": route.is_default,
        "prompt_template": route.prompt_template,
        "options": route.options,
        "labels": route.labels,
        "models": [link.model_id for link in route.route_models.all()],
        "rules": [{"kind": rule.kind, "value": rule.value, "position": rule.position} for rule in route.rules.all()],
        "examples": [example.text for example in route.examples.all()],
    }


def _enabled_routes() -> QuerySet[Route]:
    return Route.objects.filter(is_enabled=True).prefetch_related("rules", "examples", "route_models__model__provider")


def _check(routes: Iterable[Route]) -> None:
    if not any(route.is_default for route in routes):
        raise InvalidPolicyError("No route is the default. Choose the one that answers what fits nowhere else.")
    for route in routes:
        _check_models(route)
        _check_rules(route)


def _check_models(route: Route) -> None:
    """A generate route may wait for its first model: the person is told that none is connected."""
    models = [link.model for link in route.route_models.all()]
    if not models and route.role != Role.GENERATE:
        raise InvalidPolicyError(f"The route {route} has no model. Give it one, or switch the route off.")
    for model in models:
        if route.role not in model.roles:
            raise InvalidPolicyError(f"{model} cannot {route.role}. Take it off the route {route}.")


def _check_rules(route: Route) -> None:
    for rule in route.rules.all():
        try:
            compile_rule(rule.kind, rule.value)
        except InvalidRuleError as error:
            raise InvalidPolicyError(f"A rule of the route {route} does not work ({rule.value}): {error}") from error

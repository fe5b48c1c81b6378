"""The draft: the routes as admins have them now. As a snapshot it is compared, checked and published.

A snapshot is JSON-ready data: what a revision keeps, what `router.compiling` compiles, what a file is made from.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet

from router.models import Classifier, Draft, Example, Route
from router.strategies.rules import InvalidRuleError, check_rule, compile_rule
from workers.models import Model, Role

Snapshot = Mapping[str, Any]

# What a row of a route has in a snapshot under the same name.
PLAIN_FIELDS = (
    *("name", "title", "description", "role", "threshold", "is_default"),
    *("prompt_template", "options", "labels"),
)
# The classifier knows these from its training; every other route has to be told what belongs on it.
BUILT_IN = frozenset({"summarise", "classify", "generate"})
# Of a route: a few dozen tell all that can be told by examples, and every process reads each before it follows.
MAX_EXAMPLES = 500
SHOWN_TEXT = 80


class InvalidPolicyError(Exception):
    """Routes that cannot be published. The text says what to change."""


class DraftChangedError(Exception):
    """The draft is not what it was when somebody decided what becomes of it."""

    def __init__(self) -> None:
        super().__init__("Somebody changed the draft in the meantime. Look at it again before you go on.")


def snapshot() -> dict[str, Any]:
    """The enabled routes as they are now, and who may use the models that not everybody may."""
    routes = [_facts(route) for route in _enabled_routes()]
    used = {pk for route in routes for pk in route["models"]}
    limited = Model.objects.filter(pk__in=used, groups__isnull=False).prefetch_related("groups").distinct()
    model_groups = {str(model.pk): sorted(group.pk for group in model.groups.all()) for model in limited}
    return {"routes": routes, "model_groups": model_groups}


def classifier() -> Classifier:
    """The classifier of the draft. Raises `InvalidPolicyError` if there is none at all."""
    draft = Draft.current()
    if draft.classifier is None:
        raise InvalidPolicyError("There is no classifier yet. Run `manage.py load_defaults`.")
    return draft.classifier


def set_classifier(chosen: Classifier) -> None:
    """Make a classifier the draft's."""
    Draft.current()
    Draft.objects.update(classifier=chosen)


def fingerprint(content: Snapshot, classifier_sha: str) -> str:
    """What tells two drafts apart. Snapshots from before there were groups count as being for everybody."""
    facts = [[*map(_identity, content["routes"])], content.get("model_groups", {}), classifier_sha]
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _identity(route: Mapping[str, Any]) -> dict[str, Any]:
    """What a route says; the order of its examples, and of its rules of one place, changes no decision."""
    return {
        "groups": [],
        **route,
        "rules": sorted(route["rules"], key=lambda rule: (rule["position"], rule["kind"], rule["value"])),
        **{name: sorted(route[name]) for name in ("examples", "unquoted") if name in route},
    }


def current_fingerprint() -> str:
    """The fingerprint of the draft as it is now."""
    return fingerprint(snapshot(), Draft.current().classifier_id or "")


def lock() -> None:
    """Have others who publish or replace the draft wait until this transaction ends."""
    Draft.current()
    Draft.objects.select_for_update().get(pk=1)


def expect(expected: str) -> None:
    """Raises `DraftChangedError` if the draft has another fingerprint; an empty one expects nothing."""
    if expected and current_fingerprint() != expected:
        raise DraftChangedError


# --- Whether it can be published ------------------------------------------------------------------------------


def check(content: Snapshot, *, is_elsewhere: bool = False) -> None:
    """Raises `InvalidPolicyError` for routes that would leave somebody without an answer, or a route without use.

    Of routes that are for another installation, the models are not looked at.
    """
    routes = content["routes"]
    defaults = [route for route in routes if route["is_default"]]
    if len(defaults) != 1:
        raise InvalidPolicyError(
            "No route is the default. Choose the one that answers what fits nowhere else."
            if not defaults
            else "There is more than one default route. Choose one."
        )
    if defaults[0].get("groups"):
        raise InvalidPolicyError(
            f"The route {defaults[0]['title']} is the default, so it is for everybody. Take its groups away."
        )
    models = Model.objects.select_related("provider").in_bulk({pk for route in routes for pk in route["models"]})
    for route in routes:
        if not is_elsewhere:
            _check_models(route, models)
        _check_rules(route)
        _check_recognisable(route)


def warnings(content: Snapshot) -> list[str]:
    """What can be published and is probably not meant: examples on two routes, examples that a rule sends away."""
    return [*_shared_examples(content), *_contradicted_examples(content)]


def _check_models(route: Mapping[str, Any], models: Mapping[int, Model]) -> None:
    """A generate route may wait for its first model: the person is told that none is connected."""
    if not route["models"] and route["role"] != Role.GENERATE:
        raise InvalidPolicyError(f"The route {route['title']} has no model. Give it one, or switch the route off.")
    for pk in route["models"]:
        if pk not in models:
            raise InvalidPolicyError(f"A model of the route {route['title']} has been deleted. Give it another one.")
        if route["role"] not in models[pk].roles:
            raise InvalidPolicyError(f"{models[pk]} cannot {route['role']}. Take it off the route {route['title']}.")


def _check_rules(route: Mapping[str, Any]) -> None:
    for rule in route["rules"]:
        try:
            check_rule(rule["kind"], rule["value"])
        except InvalidRuleError as error:
            raise InvalidPolicyError(
                f"A rule of the route {route['title']} does not work ({rule['value']}): {error}"
            ) from error


def _check_recognisable(route: Mapping[str, Any]) -> None:
    if len(route["examples"]) > MAX_EXAMPLES:
        raise InvalidPolicyError(
            f"The route {route['title']} has {len(route['examples']):,} examples; {MAX_EXAMPLES} are allowed. Keep "
            "those that differ most."
        )
    is_told = route["rules"] or route["examples"] or route["is_default"] or route["name"] in BUILT_IN
    if not is_told:
        raise InvalidPolicyError(
            f"Nothing would lead to the route {route['title']}. Add a rule or some example messages, or switch it off."
        )


def _shared_examples(content: Snapshot) -> list[str]:
    titles: dict[str, list[str]] = defaultdict(list)
    for route in content["routes"]:
        for text in dict.fromkeys(" ".join(text.lower().split()) for text in route["examples"]):
            titles[text].append(route["title"])
    shared: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for text, routes in titles.items():
        if len(routes) > 1:
            shared[tuple(routes)].append(text)
    return [
        f"{' and '.join(routes)} have {len(texts)} example{'s' if len(texts) > 1 else ''} in common, which cannot "
        f"teach both: {_quoted(texts)}."
        for routes, texts in shared.items()
    ]


def _contradicted_examples(content: Snapshot) -> list[str]:
    found = []
    for ruled in content["routes"]:
        for rule in ruled["rules"]:
            try:
                matches = compile_rule(rule["kind"], rule["value"])
            except InvalidRuleError:  # `check` says so
                continue
            for route in content["routes"]:
                lost = [text for text in route["examples"] if route is not ruled and matches(text)]
                if lost:
                    found.append(
                        f"The rule “{rule['value']}” sends {len(lost)} example{'s' if len(lost) > 1 else ''} of "
                        f"{route['title']} to {ruled['title']}: {_quoted(lost)}."
                    )
    return found


def _quoted(texts: list[str]) -> str:
    shown = ", ".join(f"“{text[:SHOWN_TEXT]}”" for text in texts[:3])
    return shown + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


# --- From rows to a snapshot, and back ------------------------------------------------------------------------


@transaction.atomic
def restore(content: Snapshot, chosen: Classifier, actor: Any, *, expected: str = "") -> None:
    """Make the draft what a snapshot says. Routes that it does not name are deleted; switched-off ones stay.

    `expected` is the fingerprint that the draft must still have. Raises `DraftChangedError`, or `InvalidPolicyError`
    if a model or a group that the snapshot names is gone.
    """
    lock()
    expect(expected)
    routes = content["routes"]
    _check_still_there(routes)
    Route.objects.filter(is_enabled=True).exclude(name__in=[route["name"] for route in routes]).delete()
    Route.objects.update(is_default=False)
    for position, facts in enumerate(routes):
        _restore_route(facts, position, actor)
    set_classifier(chosen)


def _check_still_there(routes: list[Any]) -> None:
    models = {pk for route in routes for pk in route["models"]}
    groups = {pk for route in routes for pk in route.get("groups", ())}
    if Model.objects.filter(pk__in=models).count() < len(models):
        raise InvalidPolicyError("A model that these routes need has been deleted since.")
    if Group.objects.filter(pk__in=groups).count() < len(groups):
        raise InvalidPolicyError("A group that these routes are for has been deleted since.")


def _restore_route(facts: Mapping[str, Any], position: int, actor: Any) -> None:
    fields = {name: facts[name] for name in PLAIN_FIELDS}
    route = Route.objects.filter(name=facts["name"]).first() or Route(name=facts["name"])
    for name, value in {**fields, "position": position, "is_enabled": True, "changed_by": actor}.items():
        setattr(route, name, value)
    route.version += 1
    route.save()
    route.groups.set(facts.get("groups", ()))
    route.route_models.all().delete()
    for place, pk in enumerate(facts["models"]):
        route.route_models.create(model_id=pk, position=place)
    route.rules.all().delete()
    for rule in facts["rules"]:
        route.rules.create(**rule)
    route.examples.all().delete()
    unquoted = set(facts.get("unquoted", ()))
    Example.objects.bulk_create(
        Example(route=route, text=text, is_quoted=text not in unquoted) for text in facts["examples"]
    )


def _facts(route: Route) -> dict[str, Any]:
    return {
        **{name: getattr(route, name) for name in PLAIN_FIELDS},
        "groups": sorted(group.pk for group in route.groups.all()),
        "models": [link.model_id for link in route.route_models.all()],
        "rules": [{"kind": rule.kind, "value": rule.value, "position": rule.position} for rule in route.rules.all()],
        "examples": [example.text for example in route.examples.all()],
        **_unquoted(route),
    }


def _unquoted(route: Route) -> dict[str, list[str]]:
    """Those examples that are nobody's to be shown; nothing where there are none."""
    texts = [example.text for example in route.examples.all() if not example.is_quoted]
    return {"unquoted": texts} if texts else {}


def _enabled_routes() -> QuerySet[Route]:
    return Route.objects.filter(is_enabled=True).prefetch_related("rules", "examples", "route_models", "groups")

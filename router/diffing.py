"""What is different between two snapshots, in lines that an admin can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from django.contrib.auth.models import Group

from router.drafts import Snapshot
from workers.models import Model

Names = Mapping[Any, str]

_LABELS = {
    "title": "title",
    "description": "description",
    "role": "role",
    "threshold": "threshold",
    "is_default": "default route",
    "prompt_template": "prompt template",
    "options": "options",
    "labels": "labels",
}
SHOWN_TEXT = 300
SHOWN_BEFORE = 40  # of what two long texts have in common


@dataclass(frozen=True)
class Change:
    """One difference. `before` and `after` are empty where something was added or taken away."""

    route: str
    what: str
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        if self.before and self.after:
            return f"{self.route}: {self.what}: {self.before} → {self.after}"
        return f"{self.route}: {'+' if self.after else '-'} {self.what}: {self.after or self.before}"


def differences(old: Snapshot, new: Snapshot, *, old_classifier: str = "", new_classifier: str = "") -> list[Change]:
    """What changes from `old` to `new`, route by route in the new order; the classifiers are named by their hash."""
    before = {route["name"]: route for route in old.get("routes", [])}
    after = {route["name"]: route for route in new.get("routes", [])}
    names = _Names(before, after)
    changes = []
    if old_classifier != new_classifier:
        changes.append(Change("Classifier", "artefact", old_classifier[:12], new_classifier[:12]))
    changes += [
        Change(route["title"], "route", before=route["name"])
        for route in old.get("routes", [])
        if route["name"] not in after
    ]
    for name, route in after.items():
        if name not in before:
            changes.append(Change(route["title"], "route", after=f"{name}: {route['description']}"))
            changes += _parts(_nothing(route), route, names)
        else:
            changes += [*_fields(before[name], route), *_parts(before[name], route, names)]
    changes += _order(list(before), list(after))
    changes += _access(old.get("model_groups", {}), new.get("model_groups", {}), names)
    return changes


class _Names:
    """What models and groups are called; what is deleted is called by its number."""

    def __init__(self, *sides: Mapping[str, Mapping[str, Any]]) -> None:
        routes = [route for side in sides for route in side.values()]
        self.models: Names = dict(
            Model.objects.filter(pk__in={pk for route in routes for pk in route["models"]}).values_list("pk", "name")
        )
        self.groups: Names = dict(Group.objects.values_list("pk", "name"))

    def model(self, pk: Any) -> str:
        return self.models.get(int(pk), f"model {pk}")

    def group(self, pk: Any) -> str:
        return self.groups.get(pk, f"group {pk}")


def _nothing(route: Mapping[str, Any]) -> dict[str, Any]:
    return {"title": route["title"], "models": [], "groups": [], "rules": [], "examples": []}


def _fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for field, label in _LABELS.items():
        if old[field] != new[field]:
            yield Change(new["title"], label, *_cut_alike(_written(old[field]), _written(new[field])))


def _parts(old: Mapping[str, Any], new: Mapping[str, Any], names: _Names) -> Iterator[Change]:
    title = new["title"]
    if old["models"] != new["models"]:
        yield Change(title, "models", *(_listed(map(names.model, side["models"])) for side in (old, new)))
    if old.get("groups", []) != new.get("groups", []):
        yield Change(
            title, "groups", *(_listed(map(names.group, side.get("groups", []))) or "everybody" for side in (old, new))
        )
    yield from _added_and_gone(title, "rule", [*map(_rule, old["rules"])], [*map(_rule, new["rules"])])
    yield from _added_and_gone(title, "example", old["examples"], new["examples"])
    hidden = [set(side.get("unquoted", ())) for side in (old, new)]
    for text in new["examples"]:
        before, after = ("not for others to see" if text in each else "may be quoted" for each in hidden)
        if text in old["examples"] and before != after:
            yield Change(title, f"example {_cut(text)}", before, after)


def _added_and_gone(title: str, what: str, old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    for text in old:
        if text not in new:
            yield Change(title, what, before=_cut(text))
    for text in new:
        if text not in old:
            yield Change(title, what, after=_cut(text))


def _order(old: list[str], new: list[str]) -> Iterator[Change]:
    kept_before, kept_after = [name for name in old if name in new], [name for name in new if name in old]
    if kept_before != kept_after:
        yield Change("Routes", "order", _listed(kept_before), _listed(kept_after))


def _access(old: Mapping[str, Any], new: Mapping[str, Any], names: _Names) -> Iterator[Change]:
    for pk in sorted({*old, *new}):
        if old.get(pk) != new.get(pk):
            sides = [_listed(map(names.group, side[pk])) if pk in side else "everybody" for side in (old, new)]
            yield Change("Models", f"who may use {names.model(pk)}", *sides)


def _rule(rule: Mapping[str, Any]) -> str:
    return f"{rule['kind'].replace('_', ' ')} {rule['value']} (place {rule['position']})"


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value not in ("", [], {}) else "nothing"


def _listed(names: Any) -> str:
    return ", ".join(names)


def _cut_alike(old: str, new: str) -> tuple[str, str]:
    """Both, cut to what can be shown; of long ones, from shortly before the first difference."""
    start = 0
    if max(len(old), len(new)) > SHOWN_TEXT:
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False))
        start = max(0, sum(1 for _ in alike) - SHOWN_BEFORE)
    return _cut(f"{'…' if start else ''}{old[start:]}"), _cut(f"{'…' if start else ''}{new[start:]}")


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_TEXT else text[: SHOWN_TEXT - 1] + "…"

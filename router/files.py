"""Routes as a TOML file, so that they can live in git: with the names of models and groups instead of numbers."""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tomli_w
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction

from router import drafts
from router.drafts import MAX_EXAMPLES, PLAIN_FIELDS, Snapshot
from router.models import AuditEntry, Classifier, Route, Rule
from router.strategies.rules import InvalidRuleError, check_rule
from workers.forms import check_options
from workers.models import Model

FORMAT = 1
MAX_NUMBER = 2**63 - 1
MAX_RULE = Rule._meta.get_field("value").max_length or 0
MAX_DEPTH = 20  # of tables in tables
_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("name", "title", "description", "role", "prompt_template"), str),
    "threshold": (int, float),
    "is_default": bool,
    "options": dict,
    "labels": list,
}
_FILE_KEYS = ("format", "classifier", "routes")
_ROUTE_KEYS = (*PLAIN_FIELDS, "models", "groups", "rules", "examples", "unquoted")
_RULE_KEYS = ("kind", "value", "position")
_OPTIONAL: dict[str, Any] = {"threshold": 0.5, "is_default": False, "prompt_template": "", "options": {}, "labels": []}


class FileError(ValueError):
    """A file that is no set of routes for this installation. The text says what to change in it."""


def dump(content: Snapshot, classifier: str = "") -> str:
    """The TOML text of a snapshot. `classifier` is the hash of the artefact that it runs with."""
    models = dict(Model.objects.values_list("pk", "name"))
    groups = dict(Group.objects.values_list("pk", "name"))
    routes = [
        {
            **{field: route[field] for field in PLAIN_FIELDS if route[field] != _OPTIONAL.get(field)},
            "models": [models[pk] for pk in route["models"] if pk in models],
            # One that is gone keeps its place: without it, the route would be for everybody.
            "groups": [groups.get(pk, f"group {pk}, which is gone") for pk in route.get("groups", [])],
            "rules": route["rules"],
            "examples": route["examples"],
            **({"unquoted": route["unquoted"]} if route.get("unquoted") else {}),
        }
        for route in content["routes"]
    ]
    head = {"format": FORMAT} | ({"classifier": classifier} if classifier else {})
    data = _without_nulls({**head, "routes": routes})
    # Over several lines, TOML takes every line end for the same one; then a text comes back as another one.
    is_lossless = not any(isinstance(part, str) and "\r\n" in part for part, _ in _parts(data))
    return tomli_w.dumps(data, multiline_strings=is_lossless)


def _without_nulls(value: Any) -> Any:
    """TOML has no null; an option that is null is an option that is not there."""
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value if each is not None] if isinstance(value, list) else value


def parse(text: str, *, is_elsewhere: bool = False) -> tuple[dict[str, Any], str]:
    """The snapshot of a file, and the hash of the classifier that it names. Raises `FileError`.

    Models and groups are looked up by name; those of a file that is for another installation may be missing here, and
    are left out. Who may use a model is not in a file: that is a setting of the model.
    """
    data = _toml(text)
    _check_keys(data, _FILE_KEYS, "The file")
    routes = data.get("routes")
    if not isinstance(routes, list) or not routes:
        raise FileError("The file has no [[routes]].")
    sha = str(data.get("classifier", ""))
    _check_parts(sha, "The classifier")
    known = {
        "models": {name: pk for pk, name in Model.objects.values_list("pk", "name")},
        "groups": {name: pk for pk, name in Group.objects.values_list("pk", "name")},
    }
    parsed = [_route(route, number, known, is_elsewhere) for number, route in enumerate(routes, start=1)]
    names = Counter(route["name"] for route in parsed)
    if twice := next((name for name, count in names.items() if count > 1), None):
        raise FileError(f"The route “{twice}” is there twice.")
    if len(defaults := [route["name"] for route in parsed if route["is_default"]]) > 1:
        raise FileError(f"There is one default route, but these are marked as it: {', '.join(defaults)}.")
    limited = Model.objects.filter(groups__isnull=False).prefetch_related("groups").distinct()
    used = {pk for route in parsed for pk in route["models"]}
    model_groups = {
        str(model.pk): sorted(group.pk for group in model.groups.all()) for model in limited if model.pk in used
    }
    return {"routes": parsed, "model_groups": model_groups}, sha


@transaction.atomic
def import_into_draft(text: str, actor: Any, *, expected: str = "") -> None:
    """Make the draft what a file says, and write that into the audit log.

    `expected` is the fingerprint that the draft must still have. Raises `FileError`, `InvalidPolicyError` or
    `DraftChangedError`.
    """
    content, sha = parse(text)
    classifier = Classifier.objects.filter(pk=sha).first() if sha else drafts.classifier()
    if classifier is None:
        raise FileError(
            f"The classifier {sha[:12]} that the file names is not in this installation. Take the line out of the "
            "file to keep the draft's, or bring it in with `manage.py routes import-classifier`."
        )
    drafts.restore(content, classifier, actor, expected=expected)
    AuditEntry.write(actor, AuditEntry.Action.IMPORT, f"{len(content['routes'])} routes came from a file.")


def _toml(text: str) -> dict[str, Any]:
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a plain ValueError
        raise FileError(f"The file is not TOML that can be read: {error}.") from error
    if data.get("format") != FORMAT:
        raise FileError(f"The file does not say “format = {FORMAT}”, so it was not exported by this version.")
    return data


def _check_keys(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    """Raises `FileError` for what has no meaning here: a slip of the pen would pass for a setting that is not made."""
    if unknown := next((key for key in table if key not in known), None):
        raise FileError(f"{where}: there is no “{unknown}”. There are: {', '.join(known)}.")


def _check_parts(value: Any, where: str) -> None:
    """Raises `FileError` if there is something in a value, at any depth, that JSON or a database cannot keep."""
    for part, depth in _parts(value):
        if depth > MAX_DEPTH:
            raise FileError(f"{where}: there are more than {MAX_DEPTH} tables or lists in each other.")
        if isinstance(part, str):
            if "\0" in part:
                raise FileError(f"{where}: there is a NUL character (\\u0000) in a text. Take it out.")
        elif not isinstance(part, (int, float)):
            raise FileError(f"{where}: “{part}” is a date or a time. Put it in quotation marks.")
        elif not (abs(part) <= MAX_NUMBER and math.isfinite(part)):
            raise FileError(f"{where}: there is a number that cannot be kept: nan, inf, or one that is too large.")


def _parts(value: Any) -> Iterator[tuple[Any, int]]:
    """All that is in tables and lists: keys, texts, numbers. Each with how deep it is."""
    left = [(value, 0)]
    while left:
        part, depth = left.pop()
        if isinstance(part, dict):
            left += [(each, depth + 1) for each in (*part, *part.values())]
        elif isinstance(part, list):
            left += [(each, depth + 1) for each in part]
        else:
            yield part, depth


def _route(row: Any, number: int, known: Mapping[str, Mapping[str, int]], is_elsewhere: bool) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise FileError(f"Route {number} is no table.")
    _check_parts(row, f"Route {number}")
    name = row.get("name") or f"number {number}"
    _check_keys(row, _ROUTE_KEYS, f"The route {name}")
    plain = {field: row.get(field, _OPTIONAL.get(field)) for field in PLAIN_FIELDS}
    for field, value in plain.items():
        if not isinstance(value, _TYPES[field]) or (field == "threshold" and isinstance(value, bool)):
            raise FileError(f"The route {name}: “{field}” is missing or of the wrong kind.")
    examples = _texts(row, "examples", name)
    if len(examples) > MAX_EXAMPLES:
        raise FileError(f"The route {name} has {len(examples):,} examples; {MAX_EXAMPLES} are allowed.")
    route = {
        **plain,
        "groups": sorted(_numbers(row, "groups", known["groups"], name, is_elsewhere)),
        "models": _numbers(row, "models", known["models"], name, is_elsewhere),
        "rules": _rules(row, name),
        "examples": examples,
    }
    if unquoted := _texts(row, "unquoted", name):
        if not set(unquoted) <= set(examples):
            raise FileError(f"The route {name}: “unquoted” has a text that is not among its examples.")
        route["unquoted"] = unquoted
    _validate(route)
    return route


def _validate(route: Mapping[str, Any]) -> None:
    row = Route(**{field: route[field] for field in PLAIN_FIELDS})
    try:
        row.clean_fields(exclude=["changed_by"])
        row.clean()
    except ValidationError as error:
        field, texts = next(iter(error.message_dict.items()))
        raise FileError(f"The route {route['name']}: “{field}”: {' '.join(texts)}") from error
    try:
        check_options(route["options"])
    except ValidationError as error:
        raise FileError(f"The route {route['name']}: “options”: {' '.join(error.messages)}") from error


def _rules(row: Mapping[str, Any], route: str) -> list[dict[str, Any]]:
    rules = [_rule(rule, route) for rule in _list(row, "rules", route)]
    known: set[tuple[str, str]] = set()
    for rule in rules:
        if (rule["kind"], rule["value"]) in known:
            raise FileError(f"The route {route}: the rule {rule['kind']} “{rule['value']}” is there twice.")
        known.add((rule["kind"], rule["value"]))
    return rules


def _numbers(row: Mapping[str, Any], field: str, known: Mapping[str, int], route: str, is_elsewhere: bool) -> list[int]:
    names = _texts(row, field, route)
    for name in names:
        if name not in known and not is_elsewhere:
            raise FileError(
                f"The route {route}: there is no {field[:-1]} “{name}” here. There are: {', '.join(known) or 'none'}."
            )
    return [known[name] for name in names if name in known]


def _rule(rule: Any, route: str) -> dict[str, Any]:
    if not isinstance(rule, dict) or rule.get("kind") not in Rule.Kind.values:
        raise FileError(f"The route {route}: a rule has a kind out of {', '.join(Rule.Kind.values)}, and a value.")
    _check_keys(rule, _RULE_KEYS, f"A rule of the route {route}")
    value, position = rule.get("value"), rule.get("position", 0)
    if not isinstance(value, str) or not isinstance(position, int) or not 0 <= position <= 32767:
        raise FileError(f"The route {route}: a rule's value is a text, and its position a number from 0 to 32767.")
    if len(value) > MAX_RULE:
        raise FileError(f"The route {route}: a rule's value has {len(value)} characters; {MAX_RULE} are allowed.")
    try:
        check_rule(rule["kind"], value)
    except InvalidRuleError as error:
        raise FileError(f"The route {route}: the rule “{value}” does not work: {error}") from error
    return {"kind": rule["kind"], "value": value, "position": position}


def _texts(row: Mapping[str, Any], field: str, route: str) -> list[str]:
    texts = _list(row, field, route)
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise FileError(f"The route {route}: “{field}” is a list of texts, none of them empty.")
    if len(set(texts)) != len(texts):
        raise FileError(f"The route {route}: “{field}” has the same text twice.")
    return texts


def _list(row: Mapping[str, Any], field: str, route: str) -> list[Any]:
    found = row.get(field, [])
    if not isinstance(found, list):
        raise FileError(f"The route {route}: “{field}” is not a list.")
    return found

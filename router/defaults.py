"""The routes of a fresh installation, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from router.models import Route
from workers.models import Model, Role

# The thresholds of a summary and a classification are those that were calibrated when the shipped classifier was
# fitted: below them, the default route is right at least as often.
ROUTES: list[dict[str, Any]] = [
    {
        "name": "summarise",
        "title": "Summary",
        "description": "A shorter version of a text, or of what was said before.",
        "role": Role.SUMMARISE,
        "threshold": 0.61,
        "examples": [
            "tl;dr",
            "Can you summarise this article for me?",
            "give me the gist of this mail in two sentences",
            "key takeaways as bullet points please",
            "shorten this to 50 words",
            "sum up what we said so far",
            "Write a headline for the following text",
            "Fass mir das bitte kurz zusammen",
            "Résume ce texte en trois phrases",
            "recap the meeting notes below",
        ],
    },
    {
        "name": "classify",
        "title": "Classification",
        "description": "One or several labels out of a set, with a score for each.",
        "role": Role.CLASSIFY,
        "threshold": 0.54,
        "examples": [
            "is this spam or not spam: you have won a prize",
            "classify as billing, technical or other: I was charged twice",
            "Is the sentiment of this review positive or negative?",
            "bug or feature request? the export button does nothing",
            "which of these are mammals: shark, bat, trout, dolphin",
            "rate how angry this customer is: calm, annoyed, furious",
            "Welche Kategorie passt: Sport, Politik oder Kultur?",
            "urgent or can it wait?",
            "sort these into fruit and vegetables: carrot, plum, leek",
            "does this comment break the house rules, yes or no",
        ],
    },
    {
        "name": "generate",
        "title": "Chat",
        "description": "Everything else: questions, writing, translation, code, conversation.",
        "role": Role.GENERATE,
        "threshold": 0.4,
        "is_default": True,
        "examples": [
            "hi, how are you?",
            "Write a friendly reply to this mail",
            "what is the capital of Peru",
            "translate this to French",
            "fix this python function",
            "explain how a spam filter works",
            "give me ten names for a bakery",
            "Schreib mir ein Gedicht über den Herbst",
            "why?",
            "according to the text, who paid for the bridge?",
        ],
    },
]


@transaction.atomic
def load_defaults(models_by_role: Mapping[str, Sequence[Model]]) -> list[Route]:
    """Create the default routes, each with the models of its role, where there is no route yet. Returns the new ones.

    Where there are routes, admins have made them what they are: nothing is changed, and what they deleted stays so.
    """
    if Route.objects.exists():
        return []
    return [_create(spec, position, models_by_role) for position, spec in enumerate(ROUTES)]


def default_snapshot() -> dict[str, Any]:
    """The default routes as a revision would keep them, without models: for use where there is no database."""
    blank = {"is_default": False, "prompt_template": "", "options": {}, "labels": [], "models": [], "rules": []}
    return {"routes": [{**blank, **spec, "role": str(spec["role"])} for spec in ROUTES]}


def _create(spec: Mapping[str, Any], position: int, models_by_role: Mapping[str, Sequence[Model]]) -> Route:
    fields = {key: value for key, value in spec.items() if key != "examples"}
    route = Route.objects.create(**fields, position=position)
    for text in spec["examples"]:
        route.examples.create(text=text)
    for place, model in enumerate(models_by_role.get(route.role, ())):
        route.route_models.create(model=model, position=place)
    return route

"""The first page of the admin: what runs, how much there is of everything, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis
from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models import Model as DatabaseModel
from django.http import HttpRequest
from django.urls import reverse

from chatsite.chat.models import Turn
from chatsite.operations import advice
from chatsite.operations.figures import queues_in_use
from router.models import Correction, Revision, Route, RouteModel
from router.revisions import draft_is_published
from workers.jobs import Job
from workers.models import Completion, Model, Provider, Role
from workers.presence import processes


@dataclass(frozen=True)
class Task:
    """Something that an admin should see to, with the page where that is done."""

    text: str
    label: str = ""
    link: str = ""


@dataclass(frozen=True)
class Count:
    """How many there are of something."""

    title: str
    number: int
    link: str


def overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the template of the index page shows besides the theme's own context."""
    context["title"] = "Overview"
    context["live_revision"] = Revision.objects.filter(is_live=True).select_related("author").first()
    context["counts"] = _counts(request)
    may_look_at_models = request.user.has_perm("workers.view_provider")
    context["tasks"] = _missing_models() if may_look_at_models else []
    if request.user.has_perm("router.view_route"):
        context["tasks"] += _missing_routes()
    if may_look_at_models:
        context["tasks"] += [*_missing_workers(), *_set_aside()]
    if request.user.has_perm("router.change_correction"):
        context["tasks"] += _corrections_to_review()
    return context


def _counts(request: HttpRequest) -> list[Count]:
    kinds: list[type[DatabaseModel]] = [Provider, Model, Route, get_user_model()]
    return [
        Count(
            str(kind._meta.verbose_name_plural).capitalize(),
            kind._default_manager.count(),
            reverse(f"admin:{kind._meta.app_label}_{kind._meta.model_name}_changelist"),
        )
        for kind in kinds
        if request.user.has_perm(f"{kind._meta.app_label}.view_{kind._meta.model_name}")
    ]


def _missing_routes() -> list[Task]:
    usable = RouteModel.objects.filter(model__is_enabled=True, model__provider__is_enabled=True)
    empty = Route.objects.filter(is_enabled=True).exclude(Exists(usable.filter(route=OuterRef("pk"))))
    if not _generative_models().exists():  # what is missing is told once
        empty = empty.exclude(role=Role.GENERATE)
    tasks = [
        Task(
            f"The route {route.title} has no model that is switched on, so nobody gets an answer on it.",
            "Give it one",
            reverse("admin:router_route_change", args=[route.pk]),
        )
        for route in empty
    ]
    if not Revision.objects.filter(is_live=True).exists():
        tasks.append(Task("No routes are published yet. Run manage.py load_defaults, or publish the draft."))
    elif not draft_is_published():
        text = "The draft has changes that are not live yet."
        tasks.append(Task(text, "Look at them", reverse("admin:router_revision_draft")))
    return tasks


def _missing_models() -> list[Task]:
    if _generative_models().exists():
        return []
    text = "No generative model is connected: summaries and classification work, conversations do not."
    return [Task(text, "Connect one", reverse("admin:workers_provider_add"))]


def _generative_models() -> QuerySet[Model]:
    enabled = Model.objects.filter(is_enabled=True, provider__is_enabled=True)
    return enabled.exclude(provider__kind=Provider.Kind.EMBEDDED)


def _missing_workers() -> list[Task]:
    try:
        workers = processes()
    except redis.RedisError:
        return [Task("Redis cannot be reached: messages are saved, and answered when it is back.")]
    in_use = sorted(queues_in_use())
    unserved = [queue for queue in in_use if not any(worker.serves(queue) for worker in workers)]
    text = "No worker serves the queue “{}”: what is sent there waits. In the project's folder: {}"
    return [Task(text.format(queue, advice.start_command(queue))) for queue in unserved]


def _corrections_to_review() -> list[Task]:
    number = Correction.objects.filter(state=Correction.State.PENDING).count()
    link = reverse("admin:router_correction_changelist")
    return [Task(f"Corrections to review: {number}.", "Review them", link)] if number else []


def _set_aside() -> list[Task]:
    found = []
    for kind, name, page in (
        (Turn, "Decisions", "admin:chat_turn_changelist"),
        (Completion, "Answers", "admin:workers_completion_changelist"),
    ):
        if number := kind._default_manager.filter(status=Job.Status.QUARANTINED).count():
            link = f"{reverse(page)}?status__exact=quarantined"
            found.append(
                Task(f"{name} that were set aside after failing again and again: {number}.", "Look at them", link)
            )
    return found

"""The inbox of corrections in the admin: what people say went to the wrong route, reviewed by the dozen."""

from __future__ import annotations

from typing import Any

import redis
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, CharField, F, OuterRef, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import linebreaksbr
from django.urls import URLPattern, path, reverse
from django.utils.text import Truncator
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminSelectWidget

from chatsite.routing import refitting
from router import reviews
from router.models import Correction, Decision, Route
from router.reviews import PERMISSION, Review
from workers.trial_pages import NO_REDIS, find_trial, render_trial

REFIT_PERMISSION = "router.change_route"  # what it changes is the draft
SHOWN_CHARACTERS = 200
SHOWN_CONTEXT = 120


class ReviewForm(ActionForm):
    """The action, and the route to accept on where that is not the one that was wanted."""

    route = forms.ChoiceField(
        label="",
        required=False,
        widget=UnfoldAdminSelectWidget(
            {
                "class": ActionForm.base_fields["action"].widget.attrs["class"],
                "aria-label": "The right route",
                "x-show": "action === 'relabel'",
            }
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        routes = Route.objects.filter(is_enabled=True).values_list("name", "title")
        self.fields["route"].choices = [("", "Choose the right route"), *routes]


@admin.register(Correction)
class CorrectionAdmin(ModelAdmin):
    """Those that wait come first. People file corrections in the chat; here they are only reviewed."""

    action_form = ReviewForm
    actions = ("accept", "relabel", "reject", "reopen")
    list_display = ("message", "context_shown", "decided", "wanted", "user", "filed_at", "status")
    list_filter = ("state", "wanted_route", "user")
    list_filter_submit = False
    list_select_related = ("decision", "user")
    list_per_page = 50
    search_fields = ("text",)
    ordering = (Case(When(state=Correction.State.PENDING, then=0), default=1), "-filed_at")
    fields = (
        "whole_message",
        "whole_context",
        "decided",
        "wanted",
        "user",
        "filed_at",
        "status",
        "reviewer",
        "reviewed_at",
    )
    list_before_template = "admin/routing/_refit.html"

    # --- What is shown ------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Correction]:
        titles = {"decided_title": "decision__route", "wanted_title": "wanted_route", "right_title": "route"}
        return super().get_queryset(request).annotate(**{title: _title_of(name) for title, name in titles.items()})

    @display(description="Message")
    def message(self, correction: Correction) -> str:
        return Truncator(correction.text).chars(SHOWN_CHARACTERS)

    @display(description="After the answer", empty_value="")
    def context_shown(self, correction: Correction) -> str:
        return Truncator(correction.context).chars(SHOWN_CONTEXT)

    @display(description="Message")
    def whole_message(self, correction: Correction) -> str:
        return linebreaksbr(correction.text)  # escapes

    @display(description="After the answer", empty_value="none")
    def whole_context(self, correction: Correction) -> str:
        return linebreaksbr(correction.context)

    @display(description="Went to")
    def decided(self, correction: Any) -> str:
        decision = correction.decision
        score = "" if decision.score is None else f", {decision.score:.2f}"
        return f"{correction.decided_title} ({Decision.Strategy(decision.strategy).label}{score})"

    @display(description="Wanted", ordering="wanted_route")
    def wanted(self, correction: Any) -> str:
        return str(correction.wanted_title)

    @display(
        description="Review",
        ordering="state",
        label={"to be reviewed": "warning", "accepted": "success", "rejected": "danger"},
    )
    def status(self, correction: Any) -> Any:
        label = str(correction.get_state_display())
        if correction.route and correction.route != correction.wanted_route:
            return label, f"{label}: {correction.right_title}"
        return label

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        learnable = refitting.learnable()
        context = {
            "can_refit": request.user.has_perm(REFIT_PERMISSION) and request.user.has_perm(PERMISSION),
            "accepted_count": learnable.count(),
            "people_count": learnable.order_by().values("user").distinct().count(),
        }
        return super().changelist_view(request, {**(extra_context or {}), **context})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Correction | None = None) -> bool:
        return False  # what people wrote stays as they wrote it

    def has_delete_permission(self, request: HttpRequest, obj: Correction | None = None) -> bool:
        return False

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    # --- Reviewing ----------------------------------------------------------------------------------------------

    @action(description="Accept", permissions=["review"])
    def accept(self, request: HttpRequest, queryset: QuerySet[Correction]) -> None:
        self._accept(request, queryset)

    @action(description="Accept on another route", permissions=["review"])
    def relabel(self, request: HttpRequest, queryset: QuerySet[Correction]) -> None:
        route = request.POST.get("route", "")
        if Route.objects.filter(name=route, is_enabled=True).exists():
            self._accept(request, queryset, route)
        else:
            messages.error(request, "Choose the right route beside the action. Nothing was changed.")

    @action(description="Reject", permissions=["review"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Correction]) -> None:
        review = reviews.reject(queryset, request.user)
        messages.success(request, f"Rejected: {len(review.done)}. They change nothing.")

    @action(description="Take the review back", permissions=["review"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Correction]) -> None:
        review = reviews.reopen(queryset, request.user)
        messages.success(
            request,
            f"To be reviewed again: {len(review.done)}. What a refit has learnt of them is in the draft until the next "
            "refit, and an example stays on its route until you take it away there.",
        )

    def _accept(self, request: HttpRequest, queryset: QuerySet[Correction], route: str = "") -> None:
        review = reviews.accept(queryset, request.user, route)
        if review.done:
            messages.success(request, f"Accepted: {len(review.done)}. They are in the labelled set now.")
        for text in _left(review):
            messages.warning(request, text)

    # --- Learning -----------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("refit/", wrap(require_POST(self.refit_view)), name="router_correction_refit"),
            path("refit/<str:ticket>/", wrap(self.refitted_view), name="router_correction_refitted"),
            *super().get_urls(),
        ]

    def refit_view(self, request: HttpRequest) -> HttpResponse:
        """Have the draft's classifier learn what was accepted."""
        _require_refitter(request)
        try:
            trial = refitting.start_refit(request.user)
            return redirect("admin:router_correction_refitted", trial.ticket)
        except redis.RedisError:
            messages.error(request, NO_REDIS)
            return redirect("admin:router_correction_changelist")

    def refitted_view(self, request: HttpRequest, ticket: str) -> HttpResponse:
        """How far a refit is, and what it brought."""
        _require_refitter(request)
        return render_trial(
            request,
            self.admin_site,
            find_trial(request, ticket),
            title="Refit with corrections",
            outcome="admin/routing/_refitted.html",
            back=reverse("admin:router_correction_changelist"),
        )


def _require_refitter(request: HttpRequest) -> None:
    if not (request.user.has_perm(REFIT_PERMISSION) and request.user.has_perm(PERMISSION)):
        raise PermissionDenied


def _title_of(name: str) -> Coalesce:
    """What the draft calls the route that a field names; the name of one that it does not have."""
    titles = Route.objects.filter(name=OuterRef(name)).values("title")[:1]
    return Coalesce(Subquery(titles), F(name), output_field=CharField())


def _left(review: Review) -> list[str]:
    """Why some were not accepted."""
    found = [
        f"“{Truncator(correction.text).chars(80)}” is in the labelled set already, on the route /{route}; one "
        "message cannot teach both. Nothing of it was changed: change it there first, or reject this."
        for correction, route in review.contradicting
    ]
    if review.own:
        found.append(f"Your own corrections wait for somebody else to accept them: {len(review.own)}.")
    return found

"""What people think of answers, in the admin: how many of which route and model, and the reasons, without names."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from chatsite.chat.models import Rating
from workers.lookups import ListedFiltersOnly

_ROUTE = "turn__decision__route"
_MODEL = "turn__completion__answered_by__name"


@admin.register(Rating)
class RatingAdmin(ListedFiltersOnly, ModelAdmin):
    """Neither the conversation nor the person is shown: a reason is all that people say to admins."""

    list_display = ("rating", "route", "answered_by", "reason", "rated_at")
    list_display_links = None
    list_filter = ("value", _ROUTE, _MODEL, "rated_at")
    fields = ("rating", "route", "answered_by", "reason", "rated_at")  # of the page of one, which no link leads to
    list_before_template = "admin/ratings/_figures.html"
    search_fields = ("reason",)
    ordering = ("-rated_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rating]:
        return super().get_queryset(request).select_related("turn__decision", "turn__completion__answered_by")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, with the figures of what it is filtered to."""
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            response.context_data["figures"] = _figures(response.context_data["cl"].queryset)
        return response

    @display(description=_("Rating"), label={"up": "success", "down": "danger"}, ordering="value")
    def rating(self, rating: Rating) -> tuple[str, str]:
        return rating.value, rating.get_value_display()

    @display(description=_("Route"), ordering=_ROUTE)
    def route(self, rating: Rating) -> str | None:
        return rating.turn.decision.route if rating.turn.decision else None

    @display(description=_("Model"), ordering=_MODEL)
    def answered_by(self, rating: Rating) -> str | None:
        completion = rating.turn.completion
        return str(completion.answered_by) if completion and completion.answered_by else None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Rating | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Rating | None = None) -> bool:
        return False


def _figures(ratings: QuerySet[Rating]) -> list[dict[str, Any]]:
    """How many good and bad ones each model got on each route, the worst first."""
    counted = (
        ratings.order_by()
        .values(route=F(_ROUTE), model=F(_MODEL))
        .annotate(up=Count("pk", filter=Q(value="up")), down=Count("pk", filter=Q(value="down")))
    )
    rows: list[dict[str, Any]] = [{**row} for row in counted]
    return sorted(rows, key=lambda row: (-row["down"], row["up"], row["route"] or "", row["model"] or ""))

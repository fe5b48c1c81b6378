"""Trying a message, and decisions that failed, in the admin. Nobody's conversations are shown here."""

from __future__ import annotations

from typing import Any

import redis
from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from chatsite.chat import rating_admin  # noqa: F401  (registers its page)
from chatsite.chat.models import Turn
from chatsite.chat.trials import route_titles, start_try
from workers.jobs import Job
from workers.lookups import ListedFiltersOnly
from workers.trial_pages import NO_REDIS, find_trial, render_trial


class TryForm(forms.Form):
    """A message to try, and the route to wish for."""

    text = forms.CharField(label="Message", widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "autofocus": True}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "Let the router decide"), *route_titles().items()]
        self.fields["wanted_route"] = forms.ChoiceField(
            label="Route", required=False, choices=choices, widget=UnfoldAdminSelectWidget
        )

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        if len(text.encode("utf-8", "replace")) > settings.MESSAGE_MAX_BYTES:
            raise forms.ValidationError("This is longer than any message may be.")
        return text


@admin.register(Turn)
class TurnAdmin(ListedFiltersOnly, ModelAdmin):
    """Decisions that failed, without the message; and a page for trying a message."""

    list_display = ("finished_at", "state", "error_code", "attempt")
    list_filter = ("status",)
    search_fields = ("reply__pk",)
    search_help_text = "The id of a reply, as the logs have it."
    fields = ("reply_id", "state", "error_code", "error_detail", "attempt", "queued_at", "finished_at")
    ordering = ("-finished_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Turn]:
        return super().get_queryset(request).filter(status__in=[Job.Status.FAILED, Job.Status.QUARANTINED])

    @display(description="Status", label={"failed": "warning", "quarantined": "danger"}, ordering="status")
    def state(self, turn: Turn) -> str:
        return turn.status

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Turn | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Turn | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("try/", wrap(self.try_view), name="chat_turn_try"),
            path("try/<str:ticket>/", wrap(self.tried_view), name="chat_turn_tried"),
            *super().get_urls(),
        ]

    def try_view(self, request: HttpRequest) -> HttpResponse:
        """The form for a message, filled in with the one of an earlier trial; sending it starts a trial."""
        _require_view_of_routes(request)
        former = find_trial(request, request.GET.get("again", ""))
        form = TryForm(request.POST or None, initial=former.input if former else None)
        if form.is_valid():
            try:
                trial = start_try(**form.cleaned_data, asked_by=request.user)
                return redirect("admin:chat_turn_tried", trial.ticket)
            except redis.RedisError:
                form.add_error(None, NO_REDIS)
        context = {**self.admin_site.each_context(request), "title": "Try a message", "form": form}
        return render(request, "admin/trials/try.html", context)

    def tried_view(self, request: HttpRequest, ticket: str) -> HttpResponse:
        """What the router would do with the message."""
        _require_view_of_routes(request)
        return render_trial(
            request,
            self.admin_site,
            find_trial(request, ticket),
            title="Try a message",
            outcome="admin/trials/_decision.html",
            back=f"{reverse('admin:chat_turn_try')}?again={ticket}",
        )


def _require_view_of_routes(request: HttpRequest) -> None:
    if not request.user.has_perm("router.view_route"):
        raise PermissionDenied

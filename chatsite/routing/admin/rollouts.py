"""Canaries and shadows in the admin: starting one, watching it, stopping it, making it live."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import redis
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from chatsite.routing import promoting, publishing, reporting
from router import drafts, revisions, rollouts
from router.models import AuditEntry, Revision, Rollout
from workers.trial_pages import NO_REDIS, find_trial, render_trial

CHANGE = "router.publish_revision"
LOOK = "router.view_revision"
READ_MESSAGES = "routing.view_replay"
NEWEST_REVISIONS = 50
REFUSALS = (rollouts.RolloutError, drafts.InvalidPolicyError, revisions.DraftChangedError)


class StartForm(forms.Form):
    """What to try out, and how. The fingerprint is that of the draft that the admin has seen."""

    kind = forms.ChoiceField(label="As", choices=Rollout.Kind.choices, widget=UnfoldAdminSelectWidget)
    share = forms.IntegerField(
        min_value=1,
        max_value=100,
        initial=10,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Per cent of the conversations that a canary answers. A shadow decides beside all of them.",
    )
    note = forms.CharField(
        required=False,
        max_length=revisions.NOTE_LENGTH,
        widget=UnfoldAdminTextInputWidget,
        help_text="For the revision that the draft becomes: what it changes and why.",
    )
    fingerprint = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = Revision.objects.filter(is_live=False).values_list("number", "note")[:NEWEST_REVISIONS]
        choices = [(number, f"Revision {number}{f': {note}' if note else ''}") for number, note in known]
        self.fields["revision"] = forms.ChoiceField(
            label="What", choices=[("", "The draft"), *choices], required=False, widget=UnfoldAdminSelectWidget
        )
        self.order_fields(["kind", "revision", "share", "note"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("kind") == Rollout.Kind.SHADOW:
            data["share"] = 100
        elif data.get("share") is None and "share" not in self.errors:
            self.add_error("share", "A canary answers a share of the conversations: from 1 to 100 per cent.")
        return data

    def start(self, author: Any) -> Rollout:
        """Start what the form says. Raises as `router.rollouts.start_draft`."""
        data = self.cleaned_data
        if number := data["revision"]:
            revision = Revision.objects.select_related("classifier").get(pk=number)
            return rollouts.start(data["kind"], revision, data["share"], author)
        return rollouts.start_draft(
            data["kind"], data["share"], author, data["note"], expected=data["fingerprint"] or "unknown"
        )


def _changes(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For those who may publish, by POST, of a rollout that exists. What is refused is said on the rollout's page."""

    @functools.wraps(view)
    def guarded(self: Any, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        rollout = get_object_or_404(Rollout.objects.select_related("revision"), pk=pk)
        try:
            return view(self, request, rollout)
        except REFUSALS as error:
            messages.error(request, str(error))
        except redis.RedisError:
            messages.error(request, NO_REDIS)
        return redirect("admin:router_rollout_changelist")

    return guarded


@admin.register(Rollout)
class RolloutAdmin(ModelAdmin):
    """What runs beside the live revision, and what came of what ran before."""

    list_display = ("what", "kind_in_short", "scope", "state", "reason", "started_by", "started_at", "ended_at")
    list_filter = ("kind", "outcome")
    list_before_template = "admin/routing/rollouts/running.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rollout]:
        return super().get_queryset(request).select_related("revision", "started_by").defer("revision__snapshot")

    @display(description="Revision", ordering="revision")
    def what(self, rollout: Rollout) -> str:
        return str(rollout.revision)

    @display(description="Kind", ordering="kind")
    def kind_in_short(self, rollout: Rollout) -> str:
        return rollout.kind.capitalize()

    @display(description="Share", ordering="share", empty_value="all, unanswered")
    def scope(self, rollout: Rollout) -> str | None:
        return f"{rollout.share} %" if rollout.kind == Rollout.Kind.CANARY else None

    @display(
        description="Outcome",
        label={"running": "info", "made live": "success", "rolled back by itself": "danger"},
        ordering="outcome",
    )
    def state(self, rollout: Rollout) -> str:
        return rollout.get_outcome_display()

    def has_view_permission(self, request: HttpRequest, obj: Rollout | None = None) -> bool:
        return request.user.has_perm(LOOK)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(LOOK)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(CHANGE)

    def has_change_permission(self, request: HttpRequest, obj: Rollout | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Rollout | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        pages = {
            "<int:pk>/stop/": (require_POST(self.stop_view), "stop"),
            "<int:pk>/promote/": (require_POST(self.promote_view), "promote"),
            "<int:pk>/messages/": (self.messages_view, "messages"),
            "promotions/<str:ticket>/": (self.promotion_view, "promotion"),
        }
        wrap = self.admin_site.admin_view
        return [
            *(path(address, wrap(view), name=f"router_rollout_{name}") for address, (view, name) in pages.items()),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        running = Rollout.objects.filter(ended_at=None).select_related("revision", "started_by")
        context = {"title": "Rollouts", "running": [_shown(request, rollout) for rollout in running]}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """How one is doing, or did. The page asks again by itself while it runs."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rollout = self.get_object(request, object_id)
        if rollout is None:
            raise Http404("No such rollout.")
        context = _shown(request, rollout)
        if request.headers.get("HX-Request"):
            return render(request, "admin/routing/rollouts/_figures.html", context)
        context |= {**self.admin_site.each_context(request), "title": str(rollout), "opts": self.opts}
        context["can_read"] = request.user.has_perm(READ_MESSAGES)
        return render(request, "admin/routing/rollouts/rollout.html", context)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form that starts one."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        fingerprint = drafts.current_fingerprint()
        form = StartForm(request.POST or None, initial={"fingerprint": fingerprint})
        if form.is_valid():
            try:
                rollout = form.start(request.user)
                messages.success(request, f"{rollout} runs.")
                return redirect("admin:router_rollout_change", rollout.pk)
            except REFUSALS as error:
                form.add_error(None, str(error))
                form.data = {**request.POST.dict(), "fingerprint": fingerprint}  # whoever sends it again has been told
        context = {**self.admin_site.each_context(request), "title": "Start a rollout", "form": form}
        context |= {"opts": self.opts, "is_published": revisions.draft_is_published()}
        return render(request, "admin/routing/rollouts/start.html", context)

    @_changes
    def stop_view(self, request: HttpRequest, rollout: Rollout) -> HttpResponse:
        """The live revision answers everybody again."""
        rollouts.stop(rollout, request.user)
        messages.success(request, f"{rollout} has ended.")
        return redirect("admin:router_rollout_changelist")

    @_changes
    def promote_view(self, request: HttpRequest, rollout: Rollout) -> HttpResponse:
        """Measure it on the labelled set, and make it live if it passes; `override` makes it live at once."""
        if "override" not in request.POST:
            return redirect("admin:router_rollout_promotion", promoting.start_promotion(request.user, rollout).ticket)
        if not request.user.has_perm(publishing.OVERRIDE_PERMISSION):
            raise PermissionDenied
        promoting.promote_past_gate(request.user, rollout)
        messages.success(request, f"{rollout.revision} is live. That it went past the gate is in the audit log.")
        return redirect("admin:router_rollout_changelist")

    def messages_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The messages that a shadow would have sent elsewhere; the audit log says who looked."""
        if not request.user.has_perm(READ_MESSAGES):
            raise PermissionDenied
        rollout = get_object_or_404(self.get_queryset(request), pk=pk)
        text = f"Looked at the messages that {str(rollout).lower()} decided otherwise"
        AuditEntry.write(request.user, AuditEntry.Action.REPLAY, text, rollout=rollout.pk)
        context = {"rollout": rollout, "flipped": reporting.flipped_messages(rollout), "title": "Decided otherwise"}
        context |= {**self.admin_site.each_context(request), "opts": self.opts}
        return render(request, "admin/routing/rollouts/messages.html", context)

    def promotion_view(self, request: HttpRequest, ticket: str) -> HttpResponse:
        """How far the measuring is, and what it found."""
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        return render_trial(
            request,
            self.admin_site,
            find_trial(request, ticket),
            title="Making it live",
            outcome="admin/routing/rollouts/_promotion.html",
            back=reverse("admin:router_rollout_changelist"),
        )


def _shown(request: HttpRequest, rollout: Rollout) -> dict[str, Any]:
    """What the templates show of one."""
    is_canary = rollout.kind == Rollout.Kind.CANARY
    return {
        "rollout": rollout,
        "is_canary": is_canary,
        "spans": reporting.spans(rollout) if is_canary else [],
        "last_look": reporting.last_look(rollout),
        "flips": None if is_canary else reporting.flips(rollout),
        "can_change": request.user.has_perm(CHANGE),
        "can_override": request.user.has_perm(publishing.OVERRIDE_PERMISSION),
    }

"""The margins and caps that changes of the router are held to, in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.admin import ModelAdmin

from router.models import AuditEntry, Safeguards


@admin.register(Safeguards)
class SafeguardsAdmin(ModelAdmin):
    """The one row: it is there, it can be changed, and that is all."""

    fieldsets = (
        ("Before a draft goes live", {"fields": ("gate_margin",)}),
        (
            "While a canary runs: when it is taken back",
            {"fields": ("canary_error_margin", "canary_latency_ratio", "canary_wrong_route_margin")},
        ),
        ("Corrections", {"fields": ("corrections_per_day",)}),
    )

    def save_model(self, request: HttpRequest, obj: Safeguards, form: Any, change: bool) -> None:
        """A wider margin lets through what the gate would refuse, so who gave it is in the audit log."""
        super().save_model(request, obj, form, change)
        changes = {name: [form.initial[name], form.cleaned_data[name]] for name in form.changed_data}
        if changes:
            words = (f"{form.fields[name].label}: {before:g} → {after:g}" for name, (before, after) in changes.items())
            AuditEntry.write(request.user, AuditEntry.Action.SAFEGUARDS, f"{'; '.join(words)}.", **changes)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Safeguards | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is nothing to list: the row itself."""
        return redirect("admin:router_safeguards_change", Safeguards.current().pk)

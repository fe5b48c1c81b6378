"""The audit log in the admin: to be read, by nobody to be changed."""

from __future__ import annotations

import json

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import display

from router.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ModelAdmin):
    """Who changed what the router does, or looked at what people wrote."""

    list_display = ("at", "who", "what", "text")
    list_display_links = ("at", "text")
    list_filter = ("action", ("actor", admin.RelatedOnlyFieldListFilter))
    search_fields = ("text",)
    fields = readonly_fields = ("at", "who", "what", "text", "details")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        return super().get_queryset(request).select_related("actor")

    @display(description="Who", ordering="actor")
    def who(self, entry: AuditEntry) -> str:
        return str(entry.actor) if entry.actor else "by itself"

    @display(description="What", ordering="action")
    def what(self, entry: AuditEntry) -> str:
        return entry.get_action_display()

    @display(description="Details")
    def details(self, entry: AuditEntry) -> str:
        return format_html(
            '<pre class="overflow-x-auto">{}</pre>', json.dumps(entry.detail, indent=2, ensure_ascii=False)
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False

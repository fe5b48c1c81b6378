"""Invitations in the admin: one is made, handed on, and withdrawn by deleting it."""

from __future__ import annotations

import logging
from smtplib import SMTPException
from typing import Any, cast

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from chatsite.accounts import mail
from chatsite.accounts.models import Invitation
from workers.lookups import ListedFiltersOnly

logger = logging.getLogger(__name__)


@admin.register(Invitation)
class InvitationAdmin(ListedFiltersOnly, ModelAdmin):
    """Its link is shown once, to whoever makes it. Groups are given by superusers only, as groups give rights."""

    list_display = ("__str__", "state", "invited_by", "accepted_by", "created_at")
    search_fields = ("email", "accepted_by__username")
    list_select_related = ("invited_by", "accepted_by")
    fields = ("email", "groups")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invitation]:
        return super().get_queryset(request).prefetch_related("groups")

    @display(description="State", label={"open": "info", "accepted": "success", "too old": "warning"})
    def state(self, invitation: Invitation) -> str:
        if invitation.used_at:
            return "accepted"
        return "open" if invitation.is_fresh else "too old"

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Invitation | None = None) -> Any:
        may_give = request.user.is_superuser and Group.objects.exists()
        return self.fields if may_give else ("email",)

    def has_change_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        obj.invited_by = cast(User, request.user)
        token = obj.draw_token()
        super().save_model(request, obj, form, change)
        link = settings.ALLOWED_ORIGINS[0] + reverse("join-by-invitation", args=[token])
        messages.info(
            request, format_html("This link makes one account, within a week: {} It is not shown again.", link)
        )
        if obj.email and settings.HAS_MAIL:
            self._send(request, obj, link)

    def _send(self, request: HttpRequest, invitation: Invitation, link: str) -> None:
        try:
            mail.send_invitation(invitation.email, link, request.user.get_username())
        except (OSError, SMTPException) as error:
            logger.warning("An invitation was not sent: %s", error)
            messages.warning(request, "It could not be sent: the mail server did not take it. Hand the link on.")
        else:
            messages.success(request, f"It is on its way to {invitation.email}.")

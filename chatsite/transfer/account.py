"""What the site knows of a person besides their conversations."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet

from chatsite.accounts.models import Invitation, Preferences, SignInLink
from chatsite.documents.models import Attachment
from chatsite.transfer.models import Import
from chatsite.writing.models import Draft
from router.models import AuditEntry


def known_of(user: Any) -> dict[str, Any]:
    """As data; but not the hash of the password, nor anything with which somebody could sign in."""
    preferences = Preferences.objects.filter(user=user).first() or Preferences()
    return {
        "name": user.get_username(),
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "joined_at": user.date_joined,
        "last_sign_in_at": user.last_login,
        "language": preferences.language,
        "hides_first_steps": preferences.hides_first_steps,
        "groups": [group.name for group in user.groups.all()],
        "sign_in_links": _rows(SignInLink.objects.filter(user=user), "created_at", "used_at"),
        "invited": _rows(Invitation.objects.filter(accepted_by=user), "email", "created_at", "used_at"),
        "invitations": _rows(Invitation.objects.filter(invited_by=user), "email", "created_at", "used_at"),
        "drafts": _rows(Draft.objects.filter(user=user), "conversation", "text", "pasted"),
        "unsent_files": _rows(
            Attachment.objects.filter(owner=user, message=None), "conversation", "name", "size", "text", "created_at"
        ),
        "corrections": _rows(
            user.corrections.order_by("filed_at"), "text", "context", "wanted_route", "state", "filed_at"
        ),
        "imports": _rows(Import.objects.filter(user=user), "name", "created_at", "status", "problem", "skipped"),
        "changes": _rows(LogEntry.objects.filter(user=user), "action_time", "object_repr", "change_message"),
        "audited": _rows(AuditEntry.objects.filter(actor=user), "at", "action", "text"),
    }


def _rows(rows: QuerySet[Any], *fields: str) -> list[dict[str, Any]]:
    return list(rows.values(*fields))

"""Revisions and the draft in the admin: what is different, publishing, rolling back, files."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import redis
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextInputWidget

from chatsite.routing import publishing
from router import drafts, files, revisions
from router.diffing import Change, differences
from router.files import FileError
from router.models import AuditEntry, Draft, Revision
from workers.trial_pages import NO_REDIS, find_trial, render_trial

MAX_FILE_BYTES = 5_000_000


class PublishForm(forms.Form):
    """The note of a publication. The fingerprint is that of the draft that the admin has looked at."""

    note = forms.CharField(
        label="Note",
        required=False,
        max_length=revisions.NOTE_LENGTH,
        widget=UnfoldAdminTextInputWidget,
        help_text="What this changes and why, for whoever looks at the revisions later.",
    )
    fingerprint = forms.CharField(widget=forms.HiddenInput)


class ImportForm(forms.Form):
    """A file with routes. The fingerprint is that of the draft that it replaces."""

    fingerprint = forms.CharField(widget=forms.HiddenInput)
    file = forms.FileField(label="File", widget=UnfoldAdminFileFieldWidget)

    def clean_file(self) -> str:
        file = self.cleaned_data["file"]
        if file.size > MAX_FILE_BYTES:
            raise forms.ValidationError("This file is larger than 5 MB; no set of routes is.")
        try:
            text: str = file.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise forms.ValidationError("This file is not in UTF-8. Save it as UTF-8, and try again.") from None
        return text


View = Callable[..., HttpResponse]
EDIT = ("router.change_route", "router.add_route", "router.delete_route")  # replacing the draft is all of these


def _for_those_with(*permissions: str) -> Callable[[View], View]:
    """For those who may do all of this, and by POST."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.has_perms(permissions):
                raise PermissionDenied
            return require_POST(functools.partial(view, self))(request, *args, **kwargs)

        return guarded

    return decorate


_publisher_only = _for_those_with("router.publish_revision")
_editor_only = _for_those_with(*EDIT)


@admin.register(Revision)
class RevisionAdmin(ModelAdmin):
    """What was published, when and by whom; nobody can change it. The draft's page is here too."""

    list_display = ("number", "live", "note", "author", "created_at")
    list_display_links = ("number", "note")
    list_filter = ("author",)
    search_fields = ("note",)
    change_form_template = "admin/routing/revision.html"
    change_list_template = "admin/routing/revisions.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Revision]:
        return super().get_queryset(request).select_related("author").defer("snapshot")

    @display(description="Live", label="success", empty_value="")
    def live(self, revision: Revision) -> str | None:
        return "live" if revision.is_live else None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Revision | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Revision | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        pages = {
            "draft/": (self.draft_view, "draft"),
            "draft/publish/": (self.publish_view, "publish"),
            "draft/reset/": (self.reset_view, "reset"),
            "draft/import/": (self.import_view, "import"),
            "draft/export/": (self.export_draft_view, "export_draft"),
            "draft/checks/<str:ticket>/": (self.check_view, "check"),
            "<int:number>/roll-back/": (self.roll_back_view, "roll_back"),
            "<int:number>/load/": (self.load_view, "load"),
            "<int:number>/export/": (self.export_view, "export"),
        }
        wrap = self.admin_site.admin_view
        return [
            *(path(address, wrap(view), name=f"router_revision_{name}") for address, (view, name) in pages.items()),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What a revision changed, and what can be done with it."""
        revision = self.get_object(request, object_id)
        if revision is None:
            raise Http404("No such revision.")
        if not self.has_view_permission(request, revision):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": str(revision),
            "revision": revision,
            "changes": _changes(revision.parent, revision.snapshot, revision.classifier_id),
            "routes": revision.snapshot.get("routes", []),
            "can_publish": request.user.has_perm("router.publish_revision"),
            "can_edit": request.user.has_perms(EDIT),
            "fingerprint": drafts.current_fingerprint(),
            "opts": self.opts,
        }
        return render(request, self.change_form_template, context)

    # --- The draft ----------------------------------------------------------------------------------------------

    def draft_view(self, request: HttpRequest) -> HttpResponse:
        """What the draft would change, what is wrong with it, and the way to publish it."""
        return self._draft(request, request.GET.get("note", "")[: revisions.NOTE_LENGTH])

    def _draft(self, request: HttpRequest, note: str) -> HttpResponse:
        """The page, with a note that has been typed already."""
        _require(request, "router.view_route")
        content = drafts.snapshot()
        live = revisions.live_revision()
        sha = Draft.current().classifier_id or ""
        form = PublishForm(initial={"fingerprint": drafts.fingerprint(content, sha), "note": note})
        context = {
            **self.admin_site.each_context(request),
            "title": "Draft",
            "live": live,
            "changes": _changes(live, content, sha),
            "problem": _problem(content),
            "warnings": drafts.warnings(content),
            "form": form,
            "import_form": ImportForm(initial=form.initial),
            "can_publish": request.user.has_perm("router.publish_revision"),
            "can_override": request.user.has_perm(publishing.OVERRIDE_PERMISSION),
            "can_change": request.user.has_perms(EDIT),
        }
        return render(request, "admin/routing/draft.html", context)

    @_publisher_only
    def publish_view(self, request: HttpRequest) -> HttpResponse:
        """Check the draft, and publish it if it passes; `override` publishes it at once."""
        form = PublishForm(request.POST)
        if not form.is_valid():
            messages.error(request, "The note is too long.")
            return self._draft(request, request.POST.get("note", ""))
        note, fingerprint = form.cleaned_data["note"], form.cleaned_data["fingerprint"]
        try:
            if "override" in request.POST:
                _require(request, publishing.OVERRIDE_PERMISSION)
                revision = publishing.publish_past_gate(request.user, note, fingerprint)
                messages.success(request, f"{revision} is live. That it went past the gate is in the audit log.")
                return redirect("admin:router_revision_draft")
            if "check" in request.POST:
                trial = publishing.start_check(request.user, note)
            else:
                trial = publishing.start_publication(request.user, note, fingerprint)
            return redirect("admin:router_revision_check", trial.ticket)
        except (drafts.InvalidPolicyError, revisions.DraftChangedError) as error:
            messages.error(request, str(error))
        except redis.RedisError:
            messages.error(request, NO_REDIS)
        return self._draft(request, note)

    def check_view(self, request: HttpRequest, ticket: str) -> HttpResponse:
        """How far a check is, and what it found."""
        _require(request, "router.view_route")
        trial = find_trial(request, ticket)
        note = trial.input.get("note", "") if trial else ""
        return render_trial(
            request,
            self.admin_site,
            trial,
            title="Check of the draft",
            outcome="admin/routing/_verdict.html",
            back=reverse("admin:router_revision_draft", query={"note": note} if note else None),
        )

    @_editor_only
    def reset_view(self, request: HttpRequest) -> HttpResponse:
        """Throw away what is not published: the draft becomes what is live."""
        live = revisions.live_revision()
        if live:
            self._load(request, live)
        return redirect("admin:router_revision_draft")

    @_editor_only
    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Make the draft what a file says."""
        form = ImportForm(request.POST, request.FILES)
        if not form.is_valid():
            messages.error(request, " ".join(str(text) for errors in form.errors.values() for text in errors))
            return redirect("admin:router_revision_draft")
        try:
            files.import_into_draft(form.cleaned_data["file"], request.user, expected=form.cleaned_data["fingerprint"])
            messages.success(request, "The draft is what the file says. Nothing is published yet.")
        except (FileError, drafts.InvalidPolicyError, drafts.DraftChangedError) as error:
            messages.error(request, str(error))
        return redirect("admin:router_revision_draft")

    def export_draft_view(self, request: HttpRequest) -> HttpResponse:
        _require(request, "router.view_route")
        return _file(files.dump(drafts.snapshot(), Draft.current().classifier_id or ""), "draft")

    # --- One revision -------------------------------------------------------------------------------------------

    @_publisher_only
    def roll_back_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Make what a revision says live again."""
        try:
            revision = revisions.roll_back(request.user, get_object_or_404(Revision, pk=number))
            messages.success(request, f"{revision} is live: {revision.note}.")
        except drafts.InvalidPolicyError as error:
            messages.error(request, f"It cannot go live again. {error}")
        return redirect("admin:router_revision_changelist")

    @_editor_only
    def load_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Make the draft what a revision says."""
        self._load(request, get_object_or_404(Revision.objects.select_related("classifier"), pk=number))
        return redirect("admin:router_revision_draft")

    def export_view(self, request: HttpRequest, number: int) -> HttpResponse:
        _require(request, "router.view_revision")
        revision = get_object_or_404(Revision, pk=number)
        return _file(files.dump(revision.snapshot, revision.classifier_id), f"revision-{number}")

    def _load(self, request: HttpRequest, revision: Revision) -> None:
        expected = request.POST.get("fingerprint") or "unknown"
        try:
            with transaction.atomic():
                drafts.restore(revision.snapshot, revision.classifier, request.user, expected=expected)
                AuditEntry.write(request.user, AuditEntry.Action.RESET, f"The draft is {revision} again.")
        except (drafts.InvalidPolicyError, drafts.DraftChangedError) as error:
            messages.error(request, str(error))
            return
        messages.success(request, f"The draft is what {str(revision).lower()} says.")


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _changes(before: Revision | None, content: drafts.Snapshot, classifier: str) -> list[Change]:
    if before is None:
        return differences({}, content, new_classifier=classifier)
    return differences(before.snapshot, content, old_classifier=before.classifier_id, new_classifier=classifier)


def _problem(content: drafts.Snapshot) -> str:
    try:
        drafts.check(content)
        drafts.classifier()
    except drafts.InvalidPolicyError as error:
        return str(error)
    return ""


def _file(text: str, name: str) -> HttpResponse:
    response = HttpResponse(text, content_type="application/toml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="routes-{name}.toml"'
    return response

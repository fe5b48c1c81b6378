"""The labelled set in the admin: messages one by one, files of them, and the bench that measures the draft on them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import redis
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.text import Truncator
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from chatsite.routing import publishing
from router import labelled_set
from router.drafts import InvalidPolicyError
from router.labelled import MAX_BYTES, MAX_CHARACTERS, MAX_MESSAGES, LabelledFileError, read_file
from router.models import LabelledMessage, Route, Safeguards
from router.revisions import draft_is_published, live_revision
from workers.trial_pages import NO_REDIS, find_trial, render_trial

NAMED_IN_A_DELETION = 10
SHOWN_CHARACTERS = 120


class MessageField(forms.CharField):
    """A message as it was written: browsers send other line ends than the text had."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_CHARACTERS, strip=False, **kwargs)

    def to_python(self, value: Any) -> Any:
        return (super().to_python(value) or "").replace("\r\n", "\n")


class LabelledMessageForm(forms.ModelForm):
    """A message with its route: one that the draft has, or the one that it has been given already."""

    text = MessageField(label="Message", widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}))
    context = MessageField(
        label="After",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=LabelledMessage._meta.get_field("context").help_text,
    )
    route = forms.ChoiceField(widget=UnfoldAdminSelectWidget, help_text="The route that it belongs on.")

    class Meta:
        model = LabelledMessage
        fields = ["text", "context", "route"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "route" in self.fields:
            choices = {"": "Choose a route", **_routes()}
            choices.setdefault(self.instance.route, f"{self.instance.route} (not in the draft)")
            self.fields["route"].choices = list(choices.items())  # type: ignore[attr-defined]

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        if not text.strip():
            raise forms.ValidationError("There is nothing but spaces in it.")
        return text

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if {"text", "context"} <= data.keys():
            twin = labelled_set.twin_of(data["text"], data["context"], besides=self.instance.pk)
            if twin:
                title = _routes().get(twin.route, twin.route)
                self.add_error("text", f"This message is in the set already, on the route {title}.")
        return data


class UploadForm(forms.Form):
    """A file of labelled messages."""

    file = forms.FileField(
        label="File", widget=UnfoldAdminFileFieldWidget, error_messages={"empty": "The file is empty."}
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            raise forms.ValidationError(f"The file is larger than {MAX_BYTES // 1_000_000} MB. Take a sample of it.")
        try:
            return read_file(file.file, _routes(), file.name)
        except LabelledFileError as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(LabelledMessage)
class LabelledMessageAdmin(ModelAdmin):
    """The set that drafts are measured on. Its bench is here too."""

    form = LabelledMessageForm
    fields = ("text", "context", "route")
    list_display = ("message", "route", "source", "added_by", "added")
    list_filter = ("route", "source")
    list_per_page = 50
    search_fields = ("text", "context")
    search_help_text = "Words of the message, or of the answer before it."
    change_list_template = "admin/routing/labelled_messages.html"
    delete_selected_confirmation_template = "admin/routing/delete_labelled_messages.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[LabelledMessage]:
        return super().get_queryset(request).select_related("added_by")

    @display(description="Message", ordering="text")
    def message(self, row: LabelledMessage) -> str:
        return _cut(row)

    @display(description="Added", ordering="added_at")
    def added(self, row: LabelledMessage) -> str:
        return date_format(row.added_at, "j M Y")

    def get_urls(self) -> list[URLPattern]:
        pages = {
            "upload/": (self.upload_view, "router_labelledmessage_upload"),
            "download/": (self.download_view, "router_labelledmessage_download"),
            "bench/": (self.bench_view, "routing_bench"),
            "bench/<str:ticket>/": (self.checked_view, "routing_bench_checked"),
        }
        wrap = self.admin_site.admin_view
        return [
            *(path(address, wrap(view), name=name) for address, (view, name) in pages.items()),
            *super().get_urls(),
        ]

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except IntegrityError:  # somebody else has added it since the form was checked; checked again, it says so
            return super().changeform_view(request, *args, **kwargs)

    # --- Every change is in the audit log ---------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: LabelledMessage, form: Any, change: bool) -> None:
        if not change:
            obj.added_by_id = request.user.pk
        super().save_model(request, obj, form, change)
        if form.changed_data:
            labelled_set.write_audit(request.user, "changed" if change else "added", 1, f"number {obj.pk}")

    def delete_model(self, request: HttpRequest, obj: LabelledMessage) -> None:
        labelled_set.write_audit(request.user, "deleted", 1, f"number {obj.pk}")
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[LabelledMessage]) -> None:
        labelled_set.write_audit(request.user, "deleted", queryset.count())
        super().delete_queryset(request, queryset)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What a deletion takes: nothing hangs on a labelled message, and of thousands only the first are named."""
        named: list[Any] = [_cut(row) for row in objs[:NAMED_IN_A_DELETION]]
        if len(objs) > len(named):
            named.append(f"and {len(objs) - len(named):,} more")
        lacking = set() if self.has_delete_permission(request) else {self.opts.verbose_name}
        return named, {self.opts.verbose_name_plural: len(objs)}, lacking, []

    # --- Files --------------------------------------------------------------------------------------------------------

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Take over the messages of a file, all of them or none."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
        if form.is_valid():
            file = form.cleaned_data["file"]
            try:
                added = labelled_set.add(file.cases, request.user, LabelledMessage.Source.UPLOAD)
            except LabelledFileError as error:
                form.add_error("file", str(error))
            else:
                messages.success(request, _what_came(added, len(file.cases) - added + file.duplicates))
                return redirect("admin:router_labelledmessage_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": "Upload labelled messages",
            "form": form,
            "routes": _routes(),
            "max_messages": f"{MAX_MESSAGES:,}",
            "opts": self.opts,
        }
        return render(request, "admin/routing/upload_labelled_messages.html", context)

    def download_view(self, request: HttpRequest) -> StreamingHttpResponse:
        """The whole set as a file that can be uploaded again."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = LabelledMessage.objects.order_by("id").aiterator()  # ASGI would collect a synchronous one first
        response = StreamingHttpResponse(_jsonl(rows), content_type="application/jsonl")
        response["Content-Disposition"] = 'attachment; filename="labelled-messages.jsonl"'
        return response

    # --- The bench ----------------------------------------------------------------------------------------------------

    def bench_view(self, request: HttpRequest) -> HttpResponse:
        """What the draft would be measured on, and the button that has it measured."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return _start_check(request)
        counts = dict(LabelledMessage.objects.values_list("route").annotate(Count("id")).order_by("route"))
        routes = _routes()
        context = {
            **self.admin_site.each_context(request),
            "title": "Bench",
            "total": sum(counts.values()),
            "counts": [(title, name, counts.pop(name, 0)) for name, title in routes.items()],
            "elsewhere": counts,
            "margin": Safeguards.current().gate_margin,
            "live": live_revision(),
            "is_published": draft_is_published(),
            "can_add": self.has_add_permission(request),
        }
        return render(request, "admin/routing/bench.html", context)

    def checked_view(self, request: HttpRequest, ticket: str) -> HttpResponse:
        """How far a check is, and what it found."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return render_trial(
            request,
            self.admin_site,
            find_trial(request, ticket),
            title="Bench",
            outcome="admin/routing/_verdict.html",
            back=reverse("admin:routing_bench"),
        )


def _start_check(request: HttpRequest) -> HttpResponse:
    try:
        return redirect("admin:routing_bench_checked", publishing.start_check(request.user).ticket)
    except InvalidPolicyError as error:
        messages.error(request, str(error))
    except redis.RedisError:
        messages.error(request, NO_REDIS)
    return redirect("admin:routing_bench")


def _cut(row: LabelledMessage) -> str:
    return Truncator(" ".join(row.text.split())).chars(SHOWN_CHARACTERS)


def _routes() -> dict[str, str]:
    """The titles of the draft's routes by name."""
    return dict(Route.objects.filter(is_enabled=True).values_list("name", "title"))


def _what_came(added: int, known: int) -> str:
    text = f"Added {added:,} message{'s' if added != 1 else ''}."
    return f"{text} {known:,} more {'were' if known > 1 else 'was'} there already, and skipped." if known else text


async def _jsonl(rows: AsyncIterable[LabelledMessage]) -> AsyncIterator[str]:
    async for row in rows:
        context = {"context": row.context} if row.context else {}
        yield json.dumps({"text": row.text, "route": row.route, **context}, ensure_ascii=False) + "\n"

"""Trainings in the admin: start one, see how far it is and what its classifier does, take it into the draft."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminIntegerFieldWidget, UnfoldBooleanSwitchWidget

from chatsite.routing import training
from chatsite.routing.models import Training
from router.labelled import MAX_BYTES, Case, LabelledFileError, read_file
from router.models import Classifier, Draft, Route
from workers.jobs import Job
from workers.trial_pages import waiting_hint

PERMISSION_TO_TAKE = "router.change_route"  # what it changes is the draft
MAX_SEED = 1_000_000
# The parts of an artefact's metadata that hold figures, and what each is of.
MODELS = {
    "joined": "Both, as it decides",
    "tuned": "The tuned encoder alone",
    "linear": "The linear model alone",
    "metrics": "The linear model, all folds",
}


class TrainingForm(forms.Form):
    """What a classifier is fitted on beside the project's messages, and how."""

    file = forms.FileField(
        label="More messages",
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        error_messages={"empty": "The file is empty."},
        help_text="JSONL or CSV in UTF-8 with text, route and perhaps context, as for the labelled set. Do not train "
        "on what you measure with: the gate leaves out what is in both.",
    )
    with_encoder = forms.BooleanField(
        label="Tune the encoder too",
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Half an hour of one core, and right more often. Without it: a minute or two.",
    )
    seed = forms.IntegerField(
        initial=1,
        min_value=0,
        max_value=MAX_SEED,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="The same messages with the same seed give the same classifier.",
    )

    def clean_file(self) -> list[Case]:
        file = self.cleaned_data["file"]
        if not file:
            return []
        if file.size > MAX_BYTES:
            raise forms.ValidationError(f"The file is larger than {MAX_BYTES // 1_000_000} MB. Take a sample of it.")
        routes = Route.objects.filter(is_enabled=True).values_list("name", flat=True)
        try:
            return read_file(file.file, list(routes), file.name).cases
        except LabelledFileError as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(Training)
class TrainingAdmin(ModelAdmin):
    """Trainings: nobody can change one. Each has a page of how far it is and what came of it."""

    list_display = ("created_at", "what", "state", "asked_by")
    list_display_links = ("created_at", "what")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Training]:
        return super().get_queryset(request).select_related("asked_by", "classifier").defer("classifier__content")

    @display(description="What")
    def what(self, row: Training) -> str:
        return str(row).capitalize()

    @display(
        description="Status",
        label={"done": "success", "failed": "danger", "quarantined": "danger", "cancelled": "warning"},
        ordering="status",
    )
    def state(self, row: Training) -> str:
        return row.status

    def has_change_permission(self, request: HttpRequest, obj: Training | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Training | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:pk>/cancel/", wrap(require_POST(self.cancel_view)), name="routing_training_cancel"),
            path("<uuid:pk>/take/", wrap(require_POST(self.take_view)), name="routing_training_take"),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form of a new training; sending it starts one."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = TrainingForm(request.POST or None, request.FILES or None)
        if form.is_valid():
            wanted = form.cleaned_data
            try:
                row = training.start(
                    request.user, cases=wanted["file"], seed=wanted["seed"], with_encoder=wanted["with_encoder"]
                )
                return redirect("admin:routing_training_change", row.pk)
            except training.StillTrainingError as error:
                form.add_error(None, str(error))
        unfinished = Training.objects.filter(status__in=Job.OPEN).first()
        return self._render(request, "new.html", {"title": "Training", "form": form, "unfinished": unfinished})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """How far a training is, and the figures of what came of it. The page asks again by itself."""
        row = self.get_object(request, object_id)
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        context = {
            "title": str(row).capitalize(),
            "training": row,
            "hint": waiting_hint(row),
            "figures": _figures(row),
            "can_cancel": self.has_add_permission(request),
            "can_take": request.user.has_perm(PERMISSION_TO_TAKE),
            "is_taken": bool(row.classifier_id) and Draft.current().classifier_id == row.classifier_id,
        }
        if request.headers.get("HX-Request"):
            return render(request, "admin/routing/trainings/_state.html", context)
        return self._render(request, "training.html", context)

    def cancel_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Stop a training."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        training.cancel(get_object_or_404(Training, pk=pk), request.user)
        return redirect("admin:routing_training_change", pk)

    def take_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Make what came of a training the draft's classifier."""
        if not (request.user.has_perm(PERMISSION_TO_TAKE) and self.has_view_permission(request)):
            raise PermissionDenied
        row = get_object_or_404(Training, pk=pk, status=Job.Status.DONE)
        classifier = get_object_or_404(Classifier, pk=row.classifier_id)
        training.take(row, classifier, request.user)
        messages.success(request, "The draft has this classifier now. Check it, and publish it if it is better.")
        return redirect("admin:router_revision_draft")

    def _render(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return render(request, f"admin/routing/trainings/{template}", context)


def _figures(row: Training) -> list[dict[str, Any]]:
    """Accuracy, macro-F1 and calibration error of each model on messages that were held out from it."""
    metadata = row.classifier.metadata if row.classifier else {}
    return [{"name": name, **metadata[part]} for part, name in MODELS.items() if part in metadata]

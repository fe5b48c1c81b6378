"""The pages of trials in the admin: a button that starts one, and a page that shows what came of it."""

from __future__ import annotations

from typing import Any

import redis
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action

from workers import presence, queue_names, trials
from workers.jobs import Job
from workers.models import Model, Provider
from workers.trials import Trial

BUSY_AFTER_SECONDS = 10
SILENT_AFTER_SECONDS = 120  # a model that has to be loaded first says nothing for a minute
NO_REDIS = "Redis cannot be reached, and everything that workers do goes through it. Start it, and try again."


def find_trial(request: HttpRequest, ticket: str) -> Trial | None:
    """The trial of a ticket, None when it is not kept any more. Raises `Http404` for somebody else's."""
    try:
        trial = Trial.find(ticket)
    except redis.RedisError:
        messages.error(request, NO_REDIS)
        return None
    if trial and trial.asked_by != request.user.pk:
        raise Http404("No such trial.")
    return trial


def render_trial(
    request: HttpRequest, site: AdminSite, trial: Trial | None, *, title: str, outcome: str, back: str
) -> HttpResponse:
    """The page of a trial, or only its changing part when the page asks for that.

    `outcome` is the template for what a finished trial brought, `back` the address to start another one from.
    """
    context = {"trial": trial, "outcome_template": outcome, "back": back, "hint": _hint(trial), "title": title}
    if request.headers.get("HX-Request"):
        return render(request, "admin/trials/_state.html", context)
    return render(request, "admin/trials/page.html", {**site.each_context(request), **context})


def waiting_hint(job: Job) -> str:
    """Why a job of the background does not begin, as far as that can be known; empty once it has."""
    if job.status != Job.Status.QUEUED:
        return ""
    try:
        if presence.is_served(job.queue):
            return "It begins as soon as what was asked for earlier is done."
    except redis.RedisError:
        return NO_REDIS
    return f"No worker serves the queue “{job.queue}” at the moment. Start one, and this goes on by itself."


def _hint(trial: Trial | None) -> str:
    """Why nothing happens, as far as that can be known."""
    if trial is None or not trial.is_open:
        return ""
    if trial.state == "running":
        return _silence(trial.silent_seconds)
    if not presence.is_served(trial.queue):
        hint = queue_names.start_hint(trial.queue)
        return (
            f"No worker serves the queue “{trial.queue}” at the moment. Start one, and this goes on by itself. {hint}"
        )
    if trial.seconds > BUSY_AFTER_SECONDS:
        return f"Every worker of the queue “{trial.queue}” is busy. This goes on as soon as one is free."
    return ""


def _silence(seconds: float) -> str:
    if seconds <= SILENT_AFTER_SECONDS:
        return ""
    return (
        f"Nothing has been heard of it for {seconds // 60:.0f} minutes: the worker that had it may have been stopped. "
        "What it was to do may be done all the same; look, and start it again if not."
    )


class TestableAdmin(ModelAdmin):
    """Has a button that saves, and then has a worker call what was saved."""

    __test__ = False  # for pytest, which takes the name for a test's
    actions_submit_line = ("save_and_test",)

    def test_subject(self, obj: Any) -> tuple[Provider, Model | None] | None:
        """What to call for a row: a model, or a provider alone. None if there is nothing to call yet."""
        raise NotImplementedError

    def has_test_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Testing sends a provider's key to its address, so it takes the right to change providers."""
        return request.user.has_perm("workers.change_provider")

    @action(description="Save and test", permissions=["test"])
    def save_and_test(self, request: HttpRequest, obj: Any) -> None:
        """Offers the button; the form saves, and `response_add` or `response_change` goes on from there."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if object_id is None:  # the theme itself offers such buttons on existing rows only
            extra_context = {**(extra_context or {}), "actions_submit_line": self.get_actions_submit_line(request, 0)}
        return super().changeform_view(request, object_id, form_url, extra_context)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._start_test(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._start_test(request, obj) or super().response_change(request, obj)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.trial_view)
        return [path("<int:pk>/trials/<str:ticket>/", page, name=self._name("trial")), *super().get_urls()]

    def trial_view(self, request: HttpRequest, pk: int, ticket: str) -> HttpResponse:
        """What came of a test; while it is going on, the page asks again by itself."""
        if not self.has_test_permission(request):
            raise Http404("No such trial.")
        back = reverse(f"admin:{self._name('change')}", args=[pk])
        trial = find_trial(request, ticket)
        return render_trial(
            request,
            self.admin_site,
            trial,
            title=f"Test of {self._called(pk, trial) or 'what has been deleted'}",
            outcome="admin/trials/_answer.html",
            back=back,
        )

    def _called(self, pk: int, trial: Trial | None) -> Any:
        """Whom a test called: of a provider with models, one of these."""
        if model := trial and trial.input.get("model"):
            return Model.objects.filter(pk=model).first()
        return self.model._default_manager.filter(pk=pk).first()

    def _start_test(self, request: HttpRequest, obj: Any) -> HttpResponse | None:
        if self._name("save_and_test") not in request.POST or not self.has_test_permission(request, obj):
            return None
        subject = self.test_subject(obj)
        if subject is None:
            messages.warning(request, f"{obj} is saved. There is nothing to call yet: add a model first.")
            return redirect(f"admin:{self._name('change')}", obj.pk)
        try:
            trial = trials.start_check(*subject, asked_by=request.user)
        except redis.RedisError:
            messages.error(request, f"{obj} is saved, but not tested. {NO_REDIS}")
            return redirect(f"admin:{self._name('change')}", obj.pk)
        return redirect(f"admin:{self._name('trial')}", obj.pk, trial.ticket)

    def _name(self, view: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{view}"

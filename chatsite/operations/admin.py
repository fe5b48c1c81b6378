"""The operations page: what runs, what waits, what went wrong, and the few things that an admin can do about it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from chatsite.operations import advice, quarantine
from chatsite.operations.audit import write_down
from chatsite.operations.figures import Queue, figures
from chatsite.operations.models import Board
from workers import draining, presence
from workers.jobs import Job
from workers.trial_pages import NO_REDIS

LOOK = "operations.view_board"
DRAIN = "operations.drain_worker"
EMPTY = "operations.empty_quarantine"
PAGE = "admin:operations_board_changelist"


class WaitForm(forms.Form):
    """The wait that the number of workers is computed for."""

    wait = forms.FloatField(
        label="Seconds",
        min_value=0,
        max_value=3600,
        required=False,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "min": 0, "max": 3600}),
    )

    @property
    def seconds(self) -> float:
        """What was chosen, if it makes sense."""
        chosen = self.cleaned_data.get("wait") if self.is_valid() else None
        return advice.WAIT_SECONDS if chosen is None or not math.isfinite(chosen) else chosen


@dataclass(frozen=True)
class ShownQueue:
    """A queue with what it needs."""

    queue: Queue
    start: str  # the command that starts a worker of it; empty if one serves it
    staffing: advice.Staffing | None
    is_too_much: bool = False  # no number of workers that makes sense would do

    @property
    def keeps_up(self) -> bool:
        return self.staffing is None or math.isfinite(self.staffing.wait_seconds)

    @classmethod
    def of(cls, queue: Queue, wait_seconds: float) -> ShownQueue:
        start = "" if queue.workers else advice.start_command(queue.name)
        try:
            return cls(queue, start, advice.staffing(queue, wait_seconds))
        except ValueError:
            return cls(queue, start, None, is_too_much=True)


def _needs(permission: str) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """A view for those who have the permission."""

    def guard(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        def guarded(self: Any, request: HttpRequest) -> HttpResponse:
            if not request.user.has_perm(permission):
                raise PermissionDenied
            return view(self, request)

        return guarded

    return guard


@admin.register(Board)
class BoardAdmin(ModelAdmin):
    """One page; there are no rows to list."""

    def has_view_permission(self, request: HttpRequest, obj: Board | None = None) -> bool:
        return request.user.has_perm(LOOK)

    has_module_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Board | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Board | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.changelist_view), name="operations_board_changelist"),
            path("drain/", wrap(require_POST(self.drain_view)), name="operations_board_drain"),
            path("quarantine/", wrap(require_POST(self.quarantine_view)), name="operations_board_quarantine"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The page, or the part of it that asks for itself again."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = WaitForm(request.GET if "wait" in request.GET else {"wait": advice.WAIT_SECONDS})
        found = figures()
        context = {"figures": found, "wait": form.seconds, "can_drain": request.user.has_perm(DRAIN)}
        context["queues"] = [ShownQueue.of(queue, form.seconds) for queue in found.queues]
        context["running"] = sum(worker.process.running for worker in found.workers)
        context["percent"] = round(100 * advice.SHARE)
        if request.headers.get("HX-Request"):
            return render(request, "admin/operations/_figures.html", context)
        context |= {**self.admin_site.each_context(request), "title": "Operations", "opts": self.opts, "form": form}
        context["can_empty"] = request.user.has_perm(EMPTY)
        return render(request, "admin/operations/board.html", context)

    @_needs(DRAIN)
    def drain_view(self, request: HttpRequest) -> HttpResponse:
        """Ask a worker to drain, or to resume."""
        name, to_drain = request.POST.get("process", ""), request.POST.get("wish") == "drain"
        try:
            workers = presence.processes()
            worker = next((worker for worker in workers if worker.name == name), None)
            if worker is None:
                messages.error(request, f"The worker {name[:80]} is not there any more.")
                return redirect(PAGE)
            draining.ask(name, to_drain=to_drain)
        except redis.RedisError:
            messages.error(request, NO_REDIS)
            return redirect(PAGE)
        text = "Asked to drain." if to_drain else "Asked to resume."
        write_down(request.user, Board, name, f"Worker {name}", text)
        if not to_drain:
            messages.success(request, f"{name} takes work again in a moment.")
            return redirect(PAGE)
        messages.success(request, f"{name} takes nothing more and finishes what it has.")
        others = [other for other in workers if other.name != name]
        if alone := [queue for queue in worker.queues if not any(other.serves(queue) for other in others)]:
            text = f"Nobody else serves {', '.join(alone)}: what comes there waits until somebody does."
            messages.warning(request, text)
        return redirect(PAGE)

    @_needs(EMPTY)
    def quarantine_view(self, request: HttpRequest) -> HttpResponse:
        """Retry or discard the jobs that were chosen."""
        is_retry = request.POST.get("wish") == "retry"
        chosen = request.POST.getlist("job")
        if not chosen:
            messages.warning(request, "Choose at least one entry of the quarantine first.")
            return redirect(PAGE)
        act: Callable[[Job, Any], bool] = quarantine.retry if is_retry else quarantine.discard
        try:
            count = sum(act(job, request.user) for job in quarantine.find(chosen))
        except redis.RedisError:
            messages.error(request, NO_REDIS)
            return redirect(PAGE)
        if count:
            messages.success(request, f"{'Retried' if is_retry else 'Discarded'}: {count}.")
        if count < len(chosen):
            text = f"Left as {'they are' if len(chosen) - count > 1 else 'it is'}: {len(chosen) - count}."
            messages.warning(request, f"{text} Somebody else was faster, or another one is open in its place.")
        return redirect(PAGE)

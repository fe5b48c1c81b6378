"""Which process decides with which revision, in the admin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from unfold.admin import ModelAdmin

from router.models import Revision, Rollout, RunningProcess

LOOK = "router.view_revision"
NOW_SECONDS = 6  # every process reports once in this time


@dataclass(frozen=True)
class Wanted:
    """The numbers of the revisions that every process should run."""

    live: int | None
    canary: int | None
    shadow: int | None

    @classmethod
    def now(cls) -> Wanted:
        running = dict(Rollout.objects.filter(ended_at=None).values_list("kind", "revision"))
        live = Revision.objects.filter(is_live=True).values_list("number", flat=True).first()
        return cls(live, running.get(Rollout.Kind.CANARY), running.get(Rollout.Kind.SHADOW))

    def is_run_by(self, process: RunningProcess) -> bool:
        return (process.live, process.canary, process.shadow) == (self.live, self.canary, self.shadow)


@dataclass(frozen=True)
class Shown:
    """A process with what there is to say of it."""

    process: RunningProcess
    state: str
    is_fine: bool

    @property
    def seen(self) -> str:
        """How long ago it was heard of."""
        seconds = (timezone.now() - self.process.seen_at).total_seconds()
        return "just now" if seconds < NOW_SECONDS else f"{_length(seconds)} ago"


@admin.register(RunningProcess)
class RunningProcessAdmin(ModelAdmin):
    """Processes report themselves; nobody changes anything here."""

    def has_view_permission(self, request: HttpRequest, obj: RunningProcess | None = None) -> bool:
        return request.user.has_perm(LOOK)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(LOOK)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: RunningProcess | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RunningProcess | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """All processes that decided lately. The table asks for itself again."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        wanted = Wanted.now()
        processes = [_shown(process, wanted) for process in RunningProcess.objects.order_by("name")]
        context: dict[str, Any] = {"processes": processes, "wanted": wanted, "summary": summary(processes, wanted)}
        context["stale_after_seconds"] = round(RunningProcess.STALE_AFTER.total_seconds())
        if request.headers.get("HX-Request"):
            return render(request, "admin/routing/_processes.html", context)
        context |= {**self.admin_site.each_context(request), "title": "Processes", "opts": self.opts}
        return render(request, "admin/routing/processes.html", context)


def summary(processes: list[Shown], wanted: Wanted) -> str:
    """Whether everything runs what it should, in a sentence."""
    alive = [shown for shown in processes if not shown.process.is_stale]
    if wanted.live is None:
        return "Nothing is published yet, so no process can decide. Run manage.py load_defaults."
    if not alive:
        return "No process decides at the moment: messages wait until a light worker is started."
    behind = sum(not shown.is_fine for shown in alive)
    if behind:
        return f"{behind} of {len(alive)} processes have not followed yet. They do so within a second, or cannot."
    each = "The one process runs" if len(alive) == 1 else f"All {len(alive)} processes run"
    return f"{each} what should run: revision {wanted.live} is live."


def _shown(process: RunningProcess, wanted: Wanted) -> Shown:
    if process.is_stale:
        return Shown(process, "Silent for so long that it has stopped, or hangs.", False)
    if process.live != wanted.live:
        return Shown(process, f"Still decides with revision {process.live}.", False)
    if not wanted.is_run_by(process):
        return Shown(process, "Has not followed what was started or ended beside the live revision.", False)
    return Shown(process, "Runs what should run.", True)


def _length(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"

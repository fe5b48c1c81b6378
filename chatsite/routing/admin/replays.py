"""The time machine in the admin. It shows what people wrote, so whoever looks is in the audit log."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from chatsite.chat.trials import described
from chatsite.routing import replaying
from chatsite.routing.models import Replay, ReplayedFlip
from router.drafts import InvalidPolicyError
from router.models import AuditEntry, Decision, Revision
from router.policy import Choice
from router.revisions import draft_is_published
from workers.jobs import Job
from workers.trial_pages import waiting_hint

OFFERED_REVISIONS = 50
FLIPS_A_PAGE = 50
NO_ROUTE = "-"  # in an address; the name of a route begins with a letter
NOBODY = "nobody answers"


class ReplayForm(forms.Form):
    """What to replay, and which messages."""

    what = forms.ChoiceField(label="What decides anew", widget=UnfoldAdminSelectWidget)
    newest = forms.IntegerField(
        label="Messages at most",
        initial=500,
        min_value=1,
        max_value=Replay.MOST_MESSAGES,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=f"The newest ones are taken. A replay has up to {Replay.MOST_MESSAGES:,}.",
    )
    since = forms.DateField(
        label="From",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text="The first day. Empty: however long ago.",
    )
    until = forms.DateField(
        label="To",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text="The last day. Empty: up to now.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        numbers = Revision.objects.values_list("number", "is_live")[:OFFERED_REVISIONS]
        named = [
            (str(number), f"Revision {number}{', which is live' if is_live else ''}") for number, is_live in numbers
        ]
        self.fields["what"].choices = [("", "The draft"), *named]  # type: ignore[attr-defined]
        self.fields["what"].required = False

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since > until:
            self.add_error("until", "This is before the first day.")
        return cleaned

    def start(self, asked_by: Any) -> Replay:
        """Start what the valid form says. Raises as `replaying.start`."""
        wanted = dict(self.cleaned_data)
        number = wanted.pop("what")
        revision = Revision.objects.select_related("classifier").get(pk=number) if number else None
        return replaying.start(asked_by, revision=revision, **wanted)


class FlipFilter(forms.Form):
    """Which flips to see."""

    old = forms.ChoiceField(label="Old route", required=False, widget=UnfoldAdminSelectWidget)
    new = forms.ChoiceField(label="New route", required=False, widget=UnfoldAdminSelectWidget)

    def __init__(self, replay: Replay, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        routes = [("", "All"), *replay.titles().items(), (NO_ROUTE, f"None: {NOBODY}")]
        for name in ("old", "new"):
            self.fields[name].choices = routes  # type: ignore[attr-defined]

    def narrow(self, flips: QuerySet[ReplayedFlip]) -> QuerySet[ReplayedFlip]:
        """The flips that are asked for; all of them by what the form does not know."""
        if not self.is_valid():
            return flips
        wanted = {f"{end}_route": self.cleaned_data[end] for end in ("old", "new") if self.cleaned_data[end]}
        return flips.filter(**{field: "" if route == NO_ROUTE else route for field, route in wanted.items()})


@admin.register(Replay)
class ReplayAdmin(ModelAdmin):
    """Replays: nobody can change one. Each has a page of its flips."""

    list_display = ("created_at", "what", "state", "total", "flip_count", "asked_by")
    list_display_links = ("created_at", "what")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Replay]:
        return super().get_queryset(request).select_related("asked_by").defer("snapshot")

    @display(description="What")
    def what(self, replay: Replay) -> str:
        return str(replay)

    @display(
        description="Status",
        label={"done": "success", "failed": "danger", "quarantined": "danger", "cancelled": "warning"},
        ordering="status",
    )
    def state(self, replay: Replay) -> str:
        return replay.status

    def has_change_permission(self, request: HttpRequest, obj: Replay | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Replay | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:pk>/cancel/", wrap(require_POST(self.cancel_view)), name="routing_replay_cancel"),
            path("<uuid:pk>/flips/<int:flip_pk>/", wrap(self.flip_view), name="routing_replay_flip"),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form of a new replay; sending it starts one."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ReplayForm(request.POST or None)
        if form.is_valid():
            try:
                replay = form.start(request.user)
                self._say_what_is_left_out(request, replay)
                return redirect("admin:routing_replay_change", replay.pk)
            except (replaying.NotReplayableError, InvalidPolicyError) as error:
                form.add_error(None, str(error))
        own = Replay.objects.filter(asked_by=request.user.pk, status__in=Job.OPEN).first()
        context = {"title": "Time machine", "form": form, "is_published": draft_is_published(), "own": own}
        return self._render(request, "new.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """How far a replay is, and its flips. The page asks again by itself for how far it is."""
        replay = self.get_object(request, object_id)
        if replay is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        self._let_in(request, replay)
        context = {
            "title": str(replay),
            "replay": replay,
            "hint": waiting_hint(replay),
            "can_cancel": _may_cancel(request),
        }
        if request.headers.get("HX-Request"):
            response = render(request, "admin/routing/replays/_state.html", context)
            if not replay.is_open:
                response["HX-Refresh"] = "true"  # the flips are below, outside of what is exchanged
            return response
        form = FlipFilter(replay, request.GET or None)
        flips = form.narrow(replay.flips.select_related("turn__message", "turn__decision"))
        page = Paginator(flips, FLIPS_A_PAGE).get_page(request.GET.get("page"))
        query = request.GET.copy()
        query.pop("page", None)
        context |= {"filter": form, "page": page, "rows": _rows(page, replay.titles()), "query": query.urlencode()}
        return self._render(request, "replay.html", context)

    def cancel_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Stop a replay."""
        if not _may_cancel(request):
            raise PermissionDenied
        replaying.cancel(get_object_or_404(Replay, pk=pk), request.user)
        return redirect("admin:routing_replay_change", pk)

    def flip_view(self, request: HttpRequest, pk: Any, flip_pk: int) -> HttpResponse:
        """Why a message would take another route: the two choices side by side."""
        flips = ReplayedFlip.objects.select_related("replay__live", "turn__message", "turn__decision")
        flip = get_object_or_404(flips, pk=flip_pk, replay=pk)
        self._let_in(request, flip.replay)
        titles = flip.replay.titles()
        old = described(Choice(**flip.old_choice), titles) | {"name": f"Revision {flip.replay.live_id}, live then"}
        new = described(Choice(**flip.new_choice), titles) | {"name": flip.replay.subject.capitalize()}
        context = {"title": "Why", "flip": flip, "choices": [old, new]}
        context["back"] = reverse("admin:routing_replay_change", args=[pk])
        return self._render(request, "flip.html", context)

    def _let_in(self, request: HttpRequest, replay: Replay) -> None:
        """For those who may see what people wrote; the first look of each goes into the audit log."""
        if not self.has_view_permission(request, replay):
            raise PermissionDenied
        action = AuditEntry.Action.REPLAY
        if not AuditEntry.objects.filter(actor=request.user.pk, action=action, detail__replay=str(replay.pk)).exists():
            text = f"Looked at the messages of a replay that {replay.asked_by or 'somebody'} started"
            AuditEntry.write(request.user, action, text, replay=str(replay.pk))

    def _say_what_is_left_out(self, request: HttpRequest, replay: Replay) -> None:
        if replay.total == replay.newest and replaying.candidates(replay.since, replay.until)[replay.total :].exists():
            when = "in that time" if replay.since or replay.until else "than that"
            messages.info(request, f"There are more messages {when}; the newest {replay.total} are replayed.")

    def _render(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return render(request, f"admin/routing/replays/{template}", context)


def _may_cancel(request: HttpRequest) -> bool:
    return request.user.has_perm("routing.add_replay")


def _rows(page: Page[ReplayedFlip], titles: dict[str, str]) -> list[dict[str, Any]]:
    """The flips of a page, with the words for their routes."""
    return [
        {
            "flip": flip,
            "old": titles.get(flip.old_route, flip.old_route) or NOBODY,
            "old_reason": _reason(Choice(**flip.old_choice)),
            "new": titles.get(flip.new_route, flip.new_route) or NOBODY,
            "new_reason": _reason(Choice(**flip.new_choice)),
            "was": _answered_by(flip, titles),
        }
        for flip in page
    ]


def _reason(choice: Choice) -> str:
    """What chose a route, in short."""
    if not choice.route:
        return "there is no such route"
    if choice.strategy == Decision.Strategy.EXPLICIT:
        return "by name"
    label = Decision.Strategy(choice.strategy).label
    return f"by {label}" if choice.score is None else f"by {label}, {choice.score:.3f}"


def _answered_by(flip: ReplayedFlip, titles: dict[str, str]) -> str:
    """The route that answered when the message came, where what was live at the start would choose another."""
    decision = flip.turn.decision
    if decision is None or decision.route == flip.old_route:
        return ""
    return titles.get(decision.route, decision.route)

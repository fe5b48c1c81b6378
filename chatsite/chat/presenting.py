"""What people see of a conversation: rows of the database as the values that templates show.

`templates/chat/_message.html` is the one partial for a message: in history, live, after a reload and when an answer
is finished.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from chatsite.chat import access, branches
from chatsite.chat.branches import Place, Tree, place_of
from chatsite.chat.explaining import Titles, Why, explain
from chatsite.chat.models import Conversation, Message, Rating, Turn
from chatsite.chat.notices import notice
from chatsite.chat.progress import places, states
from chatsite.chat.rendering import render
from chatsite.documents.shown import Chip, chips_of
from router.models import Decision
from router.revisions import Content, content
from workers.jobs import Job
from workers.models import Completion, Role
from workers.prepared import prepared

# A longer message of a person is folded after this many characters.
PREVIEW_CHARACTERS = 1200

# What of its rows a decided or finished reply shows.
_SHOWN = (
    *("status", "attempt", "error_code", "read_share", "imported", "message", "wanted_model"),
    *("reply__conversation", "reply__parent", "reply__created_at"),
    *("conversation__leaf", "conversation__beside", "conversation__user__is_staff"),
    "conversation__user__is_superuser",
    *("decision__route", "decision__role", "decision__strategy", "decision__score", "decision__threshold"),
    *("decision__scores", "decision__evidence", "decision__duration_ms", "decision__revision__created_at"),
    *("completion__status", "completion__attempt", "completion__error_code", "completion__text"),
    *("completion__prompt_tokens", "completion__completion_tokens", "completion__cost", "completion__started_at"),
    *("completion__first_token_at", "completion__finished_at", "completion__was_cut_short"),
    *("completion__model__name", "completion__answered_by__name"),
)


@dataclass(frozen=True)
class Trouble:
    """Why there is no (whole) answer, in words. The link and the id of its lines in the log are for staff only."""

    title: str
    text: str
    is_failure: bool = True
    is_misrouted: bool = False  # another route may fit better
    is_model_missing: bool = False  # another model of the route may answer
    link_label: str = ""
    link: str = ""
    log_id: str = ""


class Reader:
    """Whose conversation it is: what they may use, and whether they run the place. Looked up when it is asked for."""

    def __init__(self, conversation: Conversation, turns: Iterable[Turn]) -> None:
        self._conversation = conversation
        self._turns = turns

    @property
    def is_staff(self) -> bool:
        return self._conversation.user.is_staff

    @cached_property
    def _groups(self) -> frozenset[int]:
        return access.groups_of(self._conversation.user)

    @cached_property
    def _offer(self) -> access.Offer:
        return access.offer(self._groups, self._conversation.pk)

    def hidden(self, then: Content) -> frozenset[str]:
        """Routes that were taken away from them: not even old answers name them.

        Those that are not there any more are for whom they were when it was decided, with the revision `then`.
        """
        return self._offer.hidden | (access.offer_of(then, self._groups).hidden - self._offer.titles.keys())

    @cached_property
    def _ratings(self) -> dict[UUID, Rating]:
        user_id, turns = self._conversation.user_id, [turn.pk for turn in self._turns]
        mine = _ratings_of(user_id, *turns) if len(turns) == 1 else Rating.objects.filter(user=user_id, turn__in=turns)
        return {rating.turn_id: rating for rating in mine}

    def rating_of(self, turn: Turn) -> Rating:
        """What they think of an answer; empty where they did not say."""
        return self._ratings.get(turn.pk) or Rating()

    @cached_property
    def _models(self) -> dict[str, dict[int, str]]:
        return self._offer.models(access.model_names(self._groups))

    def other_models(self, decision: Decision, completion: Completion | None) -> dict[int, str]:
        """Those of the same route that could have answered instead."""
        answered = completion and (completion.answered_by_id or completion.model_id)
        return {pk: name for pk, name in self._models.get(decision.route, {}).items() if pk != answered}

    def other_routes(self, decision: Decision) -> Titles:
        return {name: title for name, title in self._offer.titles.items() if name != decision.route}


@prepared
def _ratings_of(user_id: Any, turn_id: UUID) -> QuerySet[Rating]:
    return Rating.objects.filter(user=user_id, turn=turn_id)


@dataclass(frozen=True)
class Entry:
    """One message as `_message.html` shows it. `html` of a person's message is empty: it is shown as it was typed."""

    id: UUID
    role: str
    text: str
    among: Place  # its alternatives
    rest: str = ""
    files: list[Chip] = field(default_factory=list)
    read_percent: int | None = None  # of an answer: how much of a message that was too long the model has read
    client_id: UUID | None = None
    html: SafeString = field(default_factory=SafeString)
    status: str = Job.Status.DONE
    place: str = ""  # in the line, of one that waits
    state: str = ""  # of an answer that is not there yet, see `chatsite.chat.progress`
    route: str = ""
    route_role: str = ""
    model: str = ""
    why: Why | None = None
    is_imported: bool = False  # it was given elsewhere; route and model are what its file calls them
    trouble: Trouble | None = None
    can_retry: bool = False
    was_cut_short: bool = False  # the model was not allowed to write on
    can_continue: bool = False  # another answer could go on where this one stopped
    other_routes: Titles = field(default_factory=dict)  # that the person may have it answered by
    other_models: Mapping[int, str] = field(default_factory=dict)  # of the same route, by number
    is_chosen: bool = False  # the person chose the route
    is_compared: bool = False  # it stands beside another answer
    base: UUID | None = None  # the answer beside which another one would be written
    rating: str = ""  # what the person thinks of an answer, and why
    reason: str = ""

    @property
    def is_open(self) -> bool:
        return self.status in Job.OPEN

    @property
    def look(self) -> str:
        """What of a finished message can change; a page that shows it otherwise shows it anew."""
        place = "compared" if self.is_compared else f"{self.among.number}/{self.among.count}"
        files = "".join(f" {file.state}" for file in self.files)
        return f"{place} {self.rating} {self.reason}{files}"


def branch(conversation: Conversation) -> list[UUID]:
    """The messages of the branch that is shown, oldest first: by their ids, as a page shows a window of them only."""
    return Tree(conversation).branch()


def entries(conversation: Conversation, message_ids: Iterable[UUID] | None = None) -> list[Entry]:
    """Messages of a conversation in the given order, by default those of the branch that is shown.

    The number of queries does not grow with them.
    """
    tree = Tree(conversation)
    wanted = list(tree.branch() if message_ids is None else message_ids)
    messages = (
        conversation.messages.filter(pk__in=wanted)
        .select_related("turn__decision__revision", "turn__completion__model", "turn__completion__answered_by")
        .defer("turn__decision__revision__snapshot", "turn__completion__prompt", "turn__completion__options")
        .in_bulk()
    )
    shown = [messages[pk] for pk in wanted if pk in messages]
    reader = Reader(conversation, [message.turn for message in shown if message.role == Message.Role.ASSISTANT])
    files = _files_of(shown)
    return [
        _user_entry(message, tree.place_of(message.pk), files)
        if message.role == Message.Role.USER
        else _beside_another(_reply_entry(message.turn, tree.place_of(message.pk), reader), conversation)
        for message in shown
    ]


@prepared
def shown_turns(reply_id: UUID) -> QuerySet[Turn]:
    """A turn with what a decided or finished reply is made of, and no more: prompts and snapshots are large."""
    related = ("reply", "conversation__user", "decision__revision", "completion__model", "completion__answered_by")
    return Turn.objects.select_related(*related).only(*_SHOWN).filter(pk=reply_id)


def render_turn(turn: Turn) -> str:
    """The HTML of a message and its reply."""
    entry = _user_entry(turn.message, place_of(turn.message), _files_of([turn.message]))
    return _render_entry(entry) + render_reply(turn)


def render_reply(turn: Turn) -> str:
    """The HTML of a reply, in whatever state it is."""
    return _render_entry(_one_reply(turn, place_of(turn.reply)))


def render_decision(turn: Turn) -> str:
    """The HTML of the line under an answer that says which route and model it was given, and why."""
    return render_to_string("chat/_decision.html", {"entry": _decided(turn, Reader(turn.conversation, [turn]))})


def render_rated(turn: Turn) -> str:
    """The HTML of the line that says why the person rated an answer as they did."""
    return render_to_string("chat/_rated.html", {"entry": _one_reply(turn, place_of(turn.reply))})


def _render_entry(entry: Entry) -> str:
    return render_to_string("chat/_message.html", {"entry": entry})


# --- Messages -------------------------------------------------------------------------------------------------


def _files_of(messages: Iterable[Message]) -> dict[UUID, list[Chip]]:
    counted = [message.pk for message in messages if message.attachment_count]
    return chips_of(counted) if counted else {}


def _user_entry(message: Message, among: Place, files: Mapping[UUID, list[Chip]]) -> Entry:
    shown, rest = _fold(message.text)
    return Entry(
        id=message.pk,
        role=message.role,
        text=shown,
        among=among,
        rest=rest,
        files=files.get(message.pk, []),
        client_id=message.client_id,
    )


def _fold(text: str) -> tuple[str, str]:
    """A long text in two: what is shown at once, cut at a space where there is one, and the rest."""
    if len(text) <= PREVIEW_CHARACTERS * 1.5:
        return text, ""
    cut = max(text.rfind(space, PREVIEW_CHARACTERS // 2, PREVIEW_CHARACTERS) for space in (" ", "\n"))
    cut = cut + 1 if cut > 0 else PREVIEW_CHARACTERS
    return text[:cut], text[cut:]


def _one_reply(turn: Turn, among: Place) -> Entry:
    return _beside_another(_reply_entry(turn, among, Reader(turn.conversation, [turn])), turn.conversation)


def _beside_another(entry: Entry, conversation: Conversation) -> Entry:
    """The entry of an answer as it looks beside another one, if it is. Nothing is compared with what failed."""
    other = branches.compared_with(conversation, entry.id)
    if not (other and entry.trouble):
        return replace(entry, is_compared=other is not None)
    known = Completion.objects.filter(reply_id=other).values_list("model", "answered_by").first() or ()
    models = {pk: name for pk, name in entry.other_models.items() if pk not in known}
    return replace(entry, is_compared=True, base=other, other_models=models)


def _reply_entry(turn: Turn, among: Place, reader: Reader) -> Entry:
    answer, completion, decision = turn.answer, turn.completion, turn.decision
    text = completion.text if completion and not answer.is_open else ""
    trouble = _trouble(turn, reader)
    state = states([turn])[turn.pk]
    has_alternatives = not answer.is_open and (trouble is None or trouble.is_model_missing)
    rating = Rating() if answer.is_open else reader.rating_of(turn)
    was_cut_short = completion is not None and completion.was_cut_short
    return Entry(
        id=turn.pk,
        role=Message.Role.ASSISTANT,
        text=text,
        among=among,
        html=render(text, str(turn.pk)),
        status=answer.status,
        state=state,
        place=places([turn.pk])[turn.pk] if state == "waiting" else "",
        is_imported=turn.imported is not None,
        trouble=trouble,
        can_retry=not answer.is_open and (trouble is None or notice(answer.error_code).can_retry),
        was_cut_short=was_cut_short,
        can_continue=was_cut_short and decision is not None and decision.role == Role.GENERATE,
        other_routes={} if answer.is_open or not decision else reader.other_routes(decision),
        other_models=reader.other_models(decision, completion) if decision and has_alternatives else {},
        base=turn.pk,
        read_percent=max(1, int(100 * turn.read_share)) if turn.read_share < 1 else None,
        is_chosen=decision is not None and decision.strategy == Decision.Strategy.EXPLICIT,
        rating=rating.value,
        reason=rating.reason,
        **_decided(turn, reader),
    )


def _decided(turn: Turn, reader: Reader) -> dict[str, Any]:
    """What an entry says of who answers and why: the decision, or the file that the answer was imported from."""
    decision = turn.decision
    if decision is None:
        imported = turn.imported or {}
        return {"route": imported.get("route", ""), "model": _model_name(turn.completion) or imported.get("model", "")}
    then = content(decision.revision_id, decision.revision.created_at)
    return {
        "route": then.titles.get(decision.route, decision.route),
        "route_role": decision.role,
        "model": _model_name(turn.completion),
        "why": explain(turn, decision, then.titles, reader.hidden(then)),
    }


def _model_name(completion: Completion | None) -> str:
    model = completion and (completion.answered_by or completion.model)
    return model.name if model else ""


def _trouble(turn: Turn, reader: Reader) -> Trouble | None:
    answer = turn.answer
    if answer.status not in (Job.Status.FAILED, Job.Status.QUARANTINED):
        return None
    code = "quarantined" if answer.status == Job.Status.QUARANTINED else answer.error_code
    words = notice(code, role=turn.decision.role if turn.decision else "")
    is_staff = reader.is_staff
    trouble = Trouble(
        *(str(words.title), str(words.text), words.is_failure, words.is_misrouted, words.is_model_missing),
        log_id=str(turn.pk) if is_staff else "",
    )
    if not is_staff or words.link is None:
        return trouble
    return replace(trouble, link_label=str(words.link.label), link=reverse(words.link.view))

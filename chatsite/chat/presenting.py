"""What people see of a conversation: rows of the database as the values that templates show.

`templates/chat/_message.html` is the one partial for a message: in history, live, after a reload and when an answer
is finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from uuid import UUID

import redis
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from chatsite.chat import access, branches
from chatsite.chat.branches import Place, Tree, place_among, siblings_of
from chatsite.chat.explaining import Titles, Why, explain
from chatsite.chat.models import Conversation, Message, Rating, Turn
from chatsite.chat.notices import in_line, notice
from chatsite.chat.rendering import render
from chatsite.documents.shown import Chip, chips_of
from router.models import Decision, Revision
from router.policy import routes_of
from router.revisions import content
from workers import line
from workers.jobs import Job
from workers.models import Completion
from workers.presence import Process, processes

# A longer message of a person is folded after this many characters.
PREVIEW_CHARACTERS = 1200


@dataclass(frozen=True)
class Trouble:
    """Why there is no (whole) answer, in words. The link and the id of its lines in the log are for staff only."""

    title: str
    text: str
    is_failure: bool = True
    is_misrouted: bool = False  # another route may fit better
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
    def _offer(self) -> access.Offer:
        return access.offer(self._conversation.user, self._conversation.pk)

    @property
    def hidden(self) -> frozenset[str]:
        """Routes that were taken away from them: not even old answers name them."""
        return self._offer.hidden

    @cached_property
    def _ratings(self) -> dict[UUID, Rating]:
        mine = Rating.objects.filter(user=self._conversation.user_id, turn__in=[turn.pk for turn in self._turns])
        return {rating.turn_id: rating for rating in mine}

    def rating_of(self, turn: Turn) -> Rating:
        """What they think of an answer; empty where they did not say."""
        return self._ratings.get(turn.pk) or Rating()

    @cached_property
    def _models(self) -> dict[str, dict[int, str]]:
        return self._offer.models(access.model_names(self._conversation.user))

    def other_models(self, decision: Decision, completion: Completion | None) -> dict[int, str]:
        """Those of the same route that could have answered instead."""
        answered = completion and (completion.answered_by_id or completion.model_id)
        return {pk: name for pk, name in self._models.get(decision.route, {}).items() if pk != answered}

    def other_routes(self, decision: Decision) -> Titles:
        return {name: title for name, title in self._offer.titles.items() if name != decision.route}


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
    state: str = ""  # of an answer that is not there yet, see `states`
    route: str = ""
    route_role: str = ""
    model: str = ""
    why: Why | None = None
    is_imported: bool = False  # it was given elsewhere; route and model are what its file calls them
    trouble: Trouble | None = None
    can_retry: bool = False
    other_routes: Titles = field(default_factory=dict)  # that the person may have it answered by
    other_models: Mapping[int, str] = field(default_factory=dict)  # of the same route, by number
    is_chosen: bool = False  # the person chose the route
    is_compared: bool = False  # it stands beside another answer
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
        .select_related("turn__decision", "turn__completion__model", "turn__completion__answered_by")
        .defer("turn__completion__prompt", "turn__completion__options")
        .in_bulk()
    )
    shown = [messages[pk] for pk in wanted if pk in messages]
    turns = [message.turn for message in shown if message.role == Message.Role.ASSISTANT]
    titles = _titles_by_revision(turn.decision.revision_id for turn in turns if turn.decision)
    reader = Reader(conversation, turns)
    files = _files_of(shown)
    return [
        _user_entry(message, tree.place_of(message.pk), files)
        if message.role == Message.Role.USER
        else replace(
            _reply_entry(message.turn, tree.place_of(message.pk), titles, reader),
            is_compared=branches.is_compared(conversation, message.pk),
        )
        for message in shown
    ]


def render_turn(turn: Turn) -> str:
    """The HTML of a message and its reply."""
    entry = _user_entry(turn.message, _place_of(turn.message), _files_of([turn.message]))
    return _render_entry(entry) + render_reply(turn)


def render_reply(turn: Turn) -> str:
    """The HTML of a reply, in whatever state it is."""
    return _render_entry(_one_reply(turn))


def render_decision(turn: Turn) -> str:
    """The HTML of the line under an answer that says which route and model it was given, and why."""
    return render_to_string("chat/_decision.html", {"entry": _one_reply(turn)})


def render_rated(turn: Turn) -> str:
    """The HTML of the line that says why the person rated an answer as they did."""
    return render_to_string("chat/_rated.html", {"entry": _one_reply(turn)})


def _render_entry(entry: Entry) -> str:
    return render_to_string("chat/_message.html", {"entry": entry})


def _place_of(message: Message) -> Place:
    return place_among(siblings_of(message), message.pk)


def _titles_by_revision(numbers: Iterable[int]) -> dict[int, Titles]:
    wanted = set(numbers)
    found = Revision.objects.filter(pk__in=wanted).values_list("number", "created_at") if wanted else []
    return {number: {route.name: route.title for route in routes_of(content(number, at))} for number, at in found}


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


def _one_reply(turn: Turn) -> Entry:
    titles = _titles_by_revision([turn.decision.revision_id] if turn.decision else [])
    entry = _reply_entry(turn, _place_of(turn.reply), titles, Reader(turn.conversation, [turn]))
    return replace(entry, is_compared=branches.is_compared(turn.conversation, turn.pk))


def _reply_entry(turn: Turn, among: Place, titles: Mapping[int, Titles], reader: Reader) -> Entry:
    answer, completion, decision = turn.answer, turn.completion, turn.decision
    text = completion.text if completion and not answer.is_open else ""
    route_titles = titles.get(decision.revision_id, {}) if decision else {}
    trouble = _trouble(turn, reader)
    state = states([turn])[turn.pk]
    rating = Rating() if answer.is_open else reader.rating_of(turn)
    imported = turn.imported or {}
    return Entry(
        id=turn.pk,
        role=Message.Role.ASSISTANT,
        text=text,
        among=among,
        html=render(text, str(turn.pk)),
        status=answer.status,
        state=state,
        place=places([turn.pk])[turn.pk] if state == "waiting" else "",
        route=route_titles.get(decision.route, decision.route) if decision else imported.get("route", ""),
        route_role=decision.role if decision else "",
        model=_model_name(completion) or imported.get("model", ""),
        is_imported=turn.imported is not None,
        why=explain(turn, decision, route_titles, reader.hidden) if decision else None,
        trouble=trouble,
        can_retry=not answer.is_open and (trouble is None or notice(answer.error_code).can_retry),
        other_routes={} if answer.is_open or not decision else reader.other_routes(decision),
        other_models={} if answer.is_open or trouble or not decision else reader.other_models(decision, completion),
        read_percent=max(1, int(100 * turn.read_share)) if turn.read_share < 1 else None,
        is_chosen=decision is not None and decision.strategy == Decision.Strategy.EXPLICIT,
        rating=rating.value,
        reason=rating.reason,
    )


def states(turns: Iterable[Turn]) -> dict[UUID, str]:
    """What becomes of each reply at the moment; empty for those that are finished.

    routing, waiting, writing, retrying; `unrouted` and `unserved` instead of the first two while no worker is there.
    """
    workers = cache(_workers)
    return {turn.pk: _state(turn, workers) for turn in turns}


def places(reply_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Where those stand that wait, and how long it may take, in words; empty where nobody knows."""
    asked = list(reply_ids)
    try:
        found = line.places(asked)
    except redis.RedisError:
        found = {}
    return {reply_id: in_line(found[reply_id]) if reply_id in found else "" for reply_id in asked}


def _state(turn: Turn, workers: Callable[[], list[Process] | None]) -> str:
    answer = turn.answer
    if not answer.is_open:
        return ""
    if answer.status == Job.Status.QUEUED and _is_unserved(answer.queue, workers()):
        return "unserved" if turn.completion else "unrouted"
    if answer.attempt > 1:
        return "retrying"
    if turn.completion is None:
        return "routing"
    return "waiting" if answer.status == Job.Status.QUEUED else "writing"


def _workers() -> list[Process] | None:
    try:
        return processes()
    except redis.RedisError:  # nobody can tell
        return None


def _is_unserved(queue: str, workers: list[Process] | None) -> bool:
    return workers is not None and not any(worker.serves(queue) for worker in workers)


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
        str(words.title), str(words.text), words.is_failure, words.is_misrouted, log_id=str(turn.pk) if is_staff else ""
    )
    if not is_staff or words.link is None:
        return trouble
    return replace(trouble, link_label=str(words.link.label), link=reverse(words.link.view))

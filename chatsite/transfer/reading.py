"""What another file calls a conversation, as one of ours. What does not look right is refused in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from chatsite.chat import conversations, turns
from chatsite.chat.models import Message
from chatsite.chat.refusals import RefusedError
from chatsite.documents.attachments import KnownFile
from chatsite.documents.kinds import clean_name
from chatsite.transfer.files import Broken
from workers.reading import MOST_CHARACTERS
from workers.reading.cleaning import clean

MOST_MESSAGES = 10_000  # of one conversation
MOST_FILES = 1_000  # of one conversation


class UnreadableError(Exception):
    """Why a conversation is not taken over, in words."""


@dataclass
class Said:
    """A message. Its parent comes before it in the list, and an answer's parent is a person's message."""

    id: str
    parent: str | None
    is_answer: bool
    text: str
    at: datetime
    by: dict[str, str]  # of an answer: `route` and `model`, as far as the file names them
    files: list[KnownFile]  # that were sent with it


@dataclass
class Read:
    """A conversation as it was read. `leaf` is where the branch ends that is shown."""

    source: str
    title: str
    created_at: datetime
    updated_at: datetime
    messages: list[Said]
    leaf: str | None = None
    is_pinned: bool = False
    is_archived: bool = False
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Node:
    """A message as it stands in the file."""

    parent: str | None
    role: str
    text: str
    at: datetime | None
    by: dict[str, str]
    files: list[KnownFile] = field(default_factory=list)


def read(data: Any) -> Read:
    """One conversation of a file: our own format, or ChatGPT's. Raises `UnreadableError`."""
    if isinstance(data, Broken):
        raise UnreadableError(data.why)
    try:
        if "mapping" in data:
            return _chatgpt(data)
        if "messages" in data:
            return _own(data)
    except RefusedError as error:
        raise UnreadableError(error.text) from error
    except (TypeError, AttributeError, KeyError, ValueError, OverflowError, OSError) as error:
        raise UnreadableError(_("It is broken: something in it is not as it should be.")) from error
    raise UnreadableError(_("It is in a format that is not known here."))


def title_of(data: Any) -> str:
    """What a conversation of a file is called, as far as one can tell."""
    title = data.get("title") if isinstance(data, Mapping) else data.title if isinstance(data, Broken) else None
    return conversations.on_one_line(title)[:120] if isinstance(title, str) else ""


def _own(data: Mapping[str, Any]) -> Read:
    nodes = {str(one["id"]): _own_node(one) for one in data["messages"]}
    return _conversation(data, nodes, f"switchyard:{data['id']}", str(data.get("leaf") or ""))


def _own_node(one: Mapping[str, Any]) -> _Node:
    files, other_names = _files(one.get("files") or ())
    return _Node(
        parent=str(one["parent"]) if one.get("parent") else None,
        role=one["role"],
        text="\n\n".join(part for part in (one.get("text"), ", ".join(other_names)) if part),
        at=_time(one.get("created_at")),
        by=_by(route=one.get("route"), model=one.get("model")),
        files=files,
    )


def _chatgpt(data: Mapping[str, Any]) -> Read:
    nodes = {}
    for pk, one in data["mapping"].items():
        message = one.get("message") or {}
        nodes[pk] = _Node(
            parent=one.get("parent"),
            role=(message.get("author") or {}).get("role") or "",
            text=_parts(message.get("content") or {}),
            at=_time(message.get("create_time")),
            by=_by(model=(message.get("metadata") or {}).get("model_slug")),
        )
    identity = data.get("conversation_id") or data["id"]
    return _conversation(data, nodes, f"chatgpt:{identity}", str(data.get("current_node") or ""))


def _files(given: Iterable[Any]) -> tuple[list[KnownFile], list[str]]:
    """The files of a message that have a text, and what the others are called.

    Raises `RefusedError` if they are too many.
    """
    files: list[KnownFile] = []
    other_names: list[str] = []
    for one in given:
        file = one if isinstance(one, Mapping) else {"name": one}
        name, all_of_it = clean_name(file["name"]), file.get("text") or ""
        if text := clean(all_of_it[:MOST_CHARACTERS]):
            is_cut = bool(file.get("is_cut")) or len(all_of_it) > MOST_CHARACTERS
            files.append(KnownFile(name, text, is_cut))
        else:
            other_names.append(name)
    if len(files) > settings.FILES_PER_MESSAGE:
        raise RefusedError("too_many_files", most=settings.FILES_PER_MESSAGE)
    return files, other_names


def _by(**named: Any) -> dict[str, str]:
    """Who has answered: those of these names that are any."""
    cleaned = {key: conversations.on_one_line(name)[:100] for key, name in named.items() if isinstance(name, str)}
    return {key: name for key, name in cleaned.items() if name}


def _parts(content: Mapping[str, Any]) -> str:
    """The text of a message; pictures and the work of tools are left out."""
    if content.get("content_type") not in ("text", "multimodal_text"):
        return ""
    return "\n\n".join(part for part in content.get("parts") or () if isinstance(part, str) and part)


def _conversation(data: Mapping[str, Any], nodes: dict[str, _Node], source: str, leaf: str) -> Read:
    if len(nodes) > MOST_MESSAGES:
        raise UnreadableError(_("It has more than {most} messages.").format(most=MOST_MESSAGES))
    created_at = _time(data.get("created_at", data.get("create_time")))
    messages, place = _tree(nodes, created_at or timezone.now())
    if not messages:
        raise UnreadableError(_("There is no message in it."))
    if sum(len(said.files) for said in messages) > MOST_FILES:
        raise UnreadableError(_("It has more than {most} files.").format(most=MOST_FILES))
    tags = data.get("tags") or []
    return Read(
        source=conversations.on_one_line(source)[:100],
        title=title_of(data),
        created_at=created_at or messages[0].at,
        updated_at=_time(data.get("updated_at", data.get("update_time"))) or max(said.at for said in messages),
        messages=messages,
        leaf=place.get(leaf),
        is_pinned=bool(data.get("pinned_at") or data.get("is_starred")),
        is_archived=bool(data.get("archived_at") or data.get("is_archived")),
        tags=[tag for tag in tags if isinstance(tag, str)],
    )


def _tree(nodes: Mapping[str, _Node], began_at: datetime) -> tuple[list[Said], dict[str, str | None]]:
    """The messages that people read, each after its parent; and of every node, which of them it belongs to.

    Left out are empty ones, instructions and tools; answers that follow on an answer are one with it. Raises
    `UnreadableError` if the nodes are no tree.
    """
    children: dict[str | None, list[str]] = {}
    for pk, node in nodes.items():
        children.setdefault(node.parent if node.parent in nodes else None, []).append(pk)
    said: dict[str, Said] = {}
    place: dict[str, str | None] = {}
    waiting: list[tuple[str, str | None]] = [(pk, None) for pk in reversed(children.get(None, []))]
    while waiting:
        pk, above = waiting.pop()
        place[pk] = here = _take(pk, nodes[pk], said.get(above or ""), said, began_at)
        waiting += [(child, here) for child in reversed(children.get(pk, []))]
    if len(place) < len(nodes):
        raise UnreadableError(_("Its messages follow each other in a circle."))
    return list(said.values()), place


def _take(pk: str, node: _Node, above: Said | None, said: dict[str, Said], began_at: datetime) -> str | None:
    """Put a node among what was said, after `above`; gives the id of the message that what follows comes after."""
    before = above.id if above else None
    if node.role not in (Message.Role.USER, Message.Role.ASSISTANT) or not (node.text.strip() or node.files):
        return before
    is_answer = node.role == Message.Role.ASSISTANT
    text, files = turns.clean(node.text, may_be_empty=bool(node.files)), [] if is_answer else node.files
    if is_answer and above is None:
        return before  # nobody has asked for it
    if is_answer and above and above.is_answer:
        above.text += f"\n\n{text}"
        turns.check_size(above.text)
        above.by |= node.by
        return before
    after = above.at + timedelta(microseconds=1) if above else began_at  # order is told by the time
    at = max(node.at or after, after) if above else node.at or after
    said[pk] = Said(pk, before, is_answer, text, at, dict(node.by), files)
    return pk


def _time(value: Any) -> datetime | None:
    """A time of the past, from seconds or ISO 8601; None for whatever else there is."""
    found: datetime | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = datetime.fromtimestamp(value, UTC)
    elif isinstance(value, str):
        found = parse_datetime(value)
    if found is None or found.year < 1990:
        return None
    return min(found if found.tzinfo else found.replace(tzinfo=UTC), timezone.now())

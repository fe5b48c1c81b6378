"""What people see of a file: in the composer, and in the message that it was sent with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.template.loader import render_to_string
from django.utils.translation import gettext, ngettext

from chatsite.chat.notices import notice
from chatsite.chat.numbers import size
from chatsite.documents.attachments import UNREADABLE
from chatsite.documents.models import Attachment
from workers.jobs import Job
from workers.reading import MOST_CHARACTERS


@dataclass(frozen=True)
class Chip:
    """A file as `chat/_files.html` and `chat/_draft_file.html` show it. `state`: reading, ready or failed."""

    id: UUID
    name: str
    ending: str
    state: str
    facts: str
    trouble: str = ""


def chips(attachments: Iterable[Attachment]) -> list[Chip]:
    """The files in their order."""
    return [_chip(attachment) for attachment in attachments]


def chips_of(message_ids: Iterable[UUID]) -> dict[UUID, list[Chip]]:
    """The files of sent messages, by message."""
    found: dict[UUID, list[Chip]] = {}
    for attachment in Attachment.objects.filter(message__in=list(message_ids)).defer("text"):
        if attachment.message_id:
            found.setdefault(attachment.message_id, []).append(_chip(attachment))
    return found


def render_draft(attachments: Iterable[Attachment]) -> str:
    """The HTML of files in the composer."""
    return "".join(render_to_string("chat/_draft_file.html", {"file": chip}) for chip in chips(attachments))


def _chip(attachment: Attachment) -> Chip:
    state = "ready" if attachment.status == Job.Status.DONE else "reading"
    if attachment.status in UNREADABLE:
        state = "failed"
    return Chip(
        id=attachment.pk,
        name=attachment.name,
        ending=attachment.name.rpartition(".")[2][:5].upper(),
        state=state,
        facts=_facts(attachment),
        trouble=str(notice(attachment.error_code or "file_broken").text) if state == "failed" else "",
    )


def _facts(attachment: Attachment) -> str:
    facts = [size(attachment.size)]
    if attachment.pages:
        facts.append(ngettext("{count} page", "{count} pages", attachment.pages).format(count=attachment.pages))
    if attachment.is_cut:
        facts.append(gettext("only the first {count} characters").format(count=f"{MOST_CHARACTERS:,}"))
    return " · ".join(facts)

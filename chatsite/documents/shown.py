"""What people see of a file: in the composer, and in the message that it was sent with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

import redis
from django.template.loader import render_to_string
from django.utils.translation import gettext, ngettext

from chatsite.chat.notices import notice
from chatsite.chat.numbers import size
from chatsite.documents.attachments import UNREADABLE
from chatsite.documents.models import Attachment
from workers import presence
from workers.jobs import Job
from workers.reading import MOST_CHARACTERS


@dataclass(frozen=True)
class Chip:
    """A file as `chat/_files.html` and `chat/_draft_file.html` show it.

    `state`: reading, ready or failed; `trouble`: in words, why it is not read.
    """

    id: UUID
    name: str
    ending: str
    state: str
    facts: str
    trouble: str = ""


def chips(attachments: Iterable[Attachment]) -> list[Chip]:
    """The files of a draft in their order."""
    found = [_chip(attachment) for attachment in attachments]
    if not any(chip.state == "reading" for chip in found) or _are_files_read():
        return found
    words = gettext("No worker reads files yet; it is kept, and read when one starts.")
    return [replace(chip, trouble=words) if chip.state == "reading" else chip for chip in found]


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


def _are_files_read() -> bool:
    try:
        return presence.is_served(Attachment.queue)
    except redis.RedisError:  # nobody can tell
        return True


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

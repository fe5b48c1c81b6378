"""The words that a person reads when something did not work: what is the matter, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from chatsite.chat.numbers import size
from workers.line import Place
from workers.models import Role

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


@dataclass(frozen=True)
class Link:
    """A page of the admin: its words and the name of its view."""

    label: StrPromise
    view: str


@dataclass(frozen=True)
class Notice:
    """What a person is told. Staff get a link to the place where it can be mended.

    `is_failure`: something broke, as against something that is missing. `is_misrouted`: another route may fit better.
    `is_model_missing`: another model of the route may answer.
    """

    title: StrPromise
    text: StrPromise
    can_retry: bool = True
    link: Link | None = None
    is_failure: bool = True
    is_misrouted: bool = False
    is_model_missing: bool = False


_PROVIDERS = Link(_("Look at the providers"), "admin:workers_provider_changelist")
_MODELS = Link(_("Look at the models"), "admin:workers_model_changelist")

_NOTICES = {
    # A model could not answer: the codes of workers.errors.
    "failed": Notice(
        _("This answer failed"),
        _("Something went wrong while it was written. Try again; if it keeps failing, tell your administrator."),
    ),
    "unknown_model": Notice(
        _("The model does not exist"),
        _("The provider does not know the model that this route asks for. An administrator can correct its name."),
        can_retry=False,
        link=_MODELS,
    ),
    "provider_unavailable": Notice(
        _("The model cannot be reached"),
        _("Its server does not answer at the moment. Try again in a little while."),
        link=_PROVIDERS,
    ),
    "provider_refused": Notice(
        _("The model's server refused the request"),
        _("Its access key or permissions may be wrong. An administrator can test the provider."),
        link=_PROVIDERS,
    ),
    "rate_limited": Notice(
        _("Too many requests right now"), _("The model's server asks us to slow down. Try again in about a minute.")
    ),
    "provider_timeout": Notice(
        _("The model went silent"),
        _("Its server stopped answering, so we stopped waiting. Try again."),
        link=_PROVIDERS,
    ),
    "stream_cut": Notice(
        _("The answer was cut off"),
        _("The connection to the model ended before the answer did, so what you see is incomplete. Try again."),
    ),
    "context_too_long": Notice(
        _("Too much text for this model"),
        _("The conversation is longer than the model can read. Start a new conversation, or send a shorter text."),
        can_retry=False,
    ),
    # Nobody could take the message.
    "no_model": Notice(
        _("No generative model is connected"),
        _(
            "So nothing can write an answer to this yet. Two things work without one: summarising a text that you "
            "paste, and classifying a message by labels that you name."
        ),
        link=Link(_("Connect a generative model"), "admin:workers_provider_add"),
        is_failure=False,
    ),
    "no_route_model": Notice(
        _("This route has no model"),
        _("Every model of this route is switched off. An administrator can switch one on, or give the route another."),
        link=_MODELS,
        is_failure=False,
    ),
    "model_gone": Notice(
        _("This model cannot be used now"),
        _("It has been switched off, or taken out of its route."),
        can_retry=False,
        is_failure=False,
        is_model_missing=True,
    ),
    "no_worker": Notice(
        _("Nobody is there to answer"),
        _("No worker that runs this kind of model is up. Your message is saved; try again in a moment."),
    ),
    "quarantined": Notice(
        _("This answer has been set aside"),
        _(
            "It failed several times in a row, each time bringing its worker down, so it is not tried again by itself. "
            "Your administrator can see why."
        ),
    ),
    # The message lacks what its route needs.
    "nothing_to_summarise": Notice(
        _("There is nothing to summarise"),
        _("Paste the text with your request, or ask after an answer that is worth summarising."),
        can_retry=False,
        is_failure=False,
        is_misrouted=True,
    ),
    "nothing_to_classify": Notice(
        _("There is nothing to classify"),
        _("Write the text after the labels, for instance: Classify as praise or complaint: The room was lovely."),
        can_retry=False,
        is_failure=False,
        is_misrouted=True,
    ),
    "one_label": Notice(
        _("One label leaves nothing to choose"),
        _("Name at least two, for instance: Is this spam or not spam: You have won a prize!"),
        can_retry=False,
        is_failure=False,
        is_misrouted=True,
    ),
    "no_labels": Notice(
        _("Which labels?"),
        _("Write the labels to choose from as your next message, for instance: billing, technical or other."),
        can_retry=False,
        is_failure=False,
        is_misrouted=True,
    ),
    "too_many_labels": Notice(
        _("Too many labels"),
        _("Up to 200 labels can be told apart at once. Name those that matter, or sort in two steps."),
        can_retry=False,
        is_failure=False,
        is_misrouted=True,
    ),
    # Refused before anything was saved.
    "empty": Notice(_("There is no message yet"), _("Write something first.")),
    "too_long": Notice(
        _("This message is too long"), _("It is {excess} over the limit of {limit}. Shorten it, or send it in parts.")
    ),
    "unknown_route": Notice(
        _("There is no such route"),
        _("There is no route /{route}. You can use {routes}."),
    ),
    "still_answering": Notice(
        _("The answer is still being written"), _("Stop it first, or wait until it is finished, to get another one.")
    ),
    "same_route": Notice(
        _("That route has answered already"), _("This answer came by that route. Choose another one.")
    ),
    "too_many_answers": Notice(
        _("You have enough under way"),
        _("{count} of your answers are still on their way. Try again in {when}, or stop one of them."),
    ),
    "busy": Notice(
        _("Too much is going on right now"), _("There are too many messages at the moment. Try again in {when}.")
    ),
    "not_now": Notice(
        _("That did not work"),
        _("Something went wrong on our side. What you have typed is kept; try again in a moment."),
    ),
    # Files: refused, or not read.
    "file_type": Notice(
        _("Files of this kind cannot be read"),
        _("Files of this kind cannot be read. Text, Markdown, CSV, HTML, PDF and Word (DOCX) can."),
    ),
    "file_is_other": Notice(
        _("This is another kind of file"),
        _("What is in it is not what its name says. Check the file, or save it anew."),
    ),
    "file_empty": Notice(_("This file is empty"), _("There is nothing in this file.")),
    "file_too_large": Notice(
        _("This file is too large"), _("It is {excess} over the limit of {limit}. Shorten it, or send it in parts.")
    ),
    "too_many_files": Notice(
        _("That are too many files"), _("A message can have up to {most} files. Send the others with the next one.")
    ),
    "files_full": Notice(
        _("There is no room for this file"),
        _("All your files together may have {limit}. Delete conversations with files that you do not need any more."),
    ),
    "files_refused": Notice(
        _("A file cannot be attached"), _("{files} Nothing was sent yet; the other files are kept.")
    ),
    "file_gone": Notice(
        _("A file is not there any more"),
        _("A file of this message is not there any more. Remove it, or attach it anew."),
    ),
    "file_broken": Notice(
        _("This file cannot be read"), _("It cannot be read: it is damaged, or not what its name says.")
    ),
    "file_locked": Notice(_("This file is locked"), _("It is locked with a password. Save it without one.")),
    "file_without_text": Notice(
        _("There is no text in this file"),
        _("There is no text in it; pictures of text, as scanners make them, have none."),
    ),
    "file_bomb": Notice(
        _("This file is too large inside"), _("Unpacked, it is far larger than it seems. It was not read.")
    ),
    "file_with_too_many_pages": Notice(
        _("This file has too many pages"), _("It has more than 500 pages. Split it, and send the part that matters.")
    ),
    "file_takes_too_long": Notice(
        _("This file takes too long to read"),
        _("Reading it took too long. Send the part that matters as a file of its own."),
    ),
    "unreadable_files": Notice(
        _("No text was found"),
        _(
            "No text could be read from the files of this message, and it has nothing else to work on. "
            "Attach another file, or paste the text."
        ),
        can_retry=False,
        is_failure=False,
    ),
    "draft_too_long": Notice(
        _("This draft is long"),
        _("A draft of this length is kept in this browser only; it is sent as any other message."),
    ),
    "bad_frame": Notice(_("That could not be read"), _("The page sent something unexpected. Reload it and try again.")),
    "unknown_event": Notice(
        _("That could not be read"), _("This page is older than the server. Reload it; what you have typed is kept.")
    ),
    "not_found": Notice(_("That is not here"), _("It may have been deleted, or it belongs to somebody else.")),
    "not_signed_in": Notice(_("You are signed out"), _("Sign in again; what you have typed is kept.")),
    # Conversations.
    "too_many_tags": Notice(_("Too many tags"), _("A conversation can have up to {most} tags. Take one away first.")),
    "too_many_tags_in_all": Notice(
        _("Too many tags"),
        _("You can have up to {most} different tags. Use one that you have, or take one away everywhere."),
    ),
    "tag_is_gone": Notice(
        _("That tag is gone"),
        _("None of your conversations has this tag any more. Nothing was changed; choose again in the list."),
    ),
    "nothing_ticked": Notice(
        _("Nothing is ticked"), _("Tick the conversations first that you mean; none was changed.")
    ),
    # What became of a “wrong route”.
    "correction_filed": Notice(_("Thank you"), _("Thank you: an admin will look at it."), is_failure=False),
    "correction_reviewed": Notice(
        _("Thank you"), _("Thank you: an admin has looked at this one already."), is_failure=False
    ),
    "corrections_used_up": Notice(
        _("Today's corrections are used up"),
        _("Your corrections for today are used up: there are {limit} within 24 hours. This one was not filed."),
        is_failure=False,
    ),
}


def notice(code: str, *, role: str = "") -> Notice:
    """The notice of an error code; a code without words of its own gets those of `failed`."""
    if code == "no_model" and role not in ("", Role.GENERATE):
        code = "no_route_model"
    return _NOTICES.get(code, _NOTICES["failed"])


def text(code: str, **facts: Any) -> str:
    """One or two sentences for the place where something was refused. `size` and `limit` are in bytes."""
    if "size" in facts:
        facts |= {"excess": size(facts["size"] - facts["limit"]), "limit": size(facts["limit"])}
    return notice(code).text.format_map(_Facts(facts))


class _Facts(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "…"


def duration(seconds: float) -> str:
    """A time in the future as people say it: to five seconds from ten on, to the minute from one on."""
    if seconds >= 60:
        count = round(seconds / 60)
        return ngettext("about {count} minute", "about {count} minutes", count).format(count=count)
    count = max(1, round(seconds) if seconds < 10 else 5 * round(seconds / 5))
    return ngettext("about {count} second", "about {count} seconds", count).format(count=count)


def in_line(place: Place) -> str:
    """Where somebody stands who waits."""
    position = gettext("Next in line") if place.position == 1 else _ordinal(place.position)
    return position if place.seconds is None else f"{position} · {duration(place.seconds)}"


_ORDINALS = {1: _("{number}st in line"), 2: _("{number}nd in line"), 3: _("{number}rd in line")}


def _ordinal(number: int) -> str:
    words = None if number % 100 in (11, 12, 13) else _ORDINALS.get(number % 10)
    return (words or gettext("{number}th in line")).format(number=number)

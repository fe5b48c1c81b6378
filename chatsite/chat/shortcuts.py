"""What the keyboard can do in the chat: the one list, which the page shows and `static/js/keys.js` goes by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


@dataclass(frozen=True)
class Shortcut:
    """`action` is what keys.js does; without one, the keys work in the message box and are only told here."""

    keys: str  # joined by a plus sign
    words: StrPromise
    action: str = ""

    @property
    def names(self) -> list[str]:
        """The keys as they are called in the language of the page."""
        return [str(_NAMES.get(key, key)) for key in self.keys.split("+")]


_NAMES = {
    "Ctrl": pgettext_lazy("key", "Ctrl"),
    "Shift": pgettext_lazy("key", "Shift"),
    "Alt": pgettext_lazy("key", "Alt"),
    "Enter": pgettext_lazy("key", "Enter"),
    "Escape": pgettext_lazy("key", "Esc"),
    "ArrowUp": "↑",
    "ArrowDown": "↓",
}

SHORTCUTS = (
    Shortcut("Ctrl+K", _("Search your conversations"), "search"),
    Shortcut("Ctrl+Shift+O", _("New conversation"), "new"),
    Shortcut("Shift+Escape", _("Go to the message box"), "write"),
    Shortcut("Escape", _("Stop the answer"), "stop"),
    Shortcut("Alt+0", _("Let the router choose the route"), "route"),
    Shortcut("Alt+1", _("Choose the first route, and so on to the ninth"), "route"),
    Shortcut("Ctrl+/", _("Show these shortcuts"), "shortcuts"),
    Shortcut("Enter", _("Send the message")),
    Shortcut("Shift+Enter", _("Start a new line")),
    Shortcut("Ctrl+Enter", _("While an answer is written: send now if Enter waits, and the other way round")),
    Shortcut("ArrowUp", _("In the empty message box: bring back what you have sent")),
    Shortcut("/", _("At the beginning of a message: choose a route by its name")),
)

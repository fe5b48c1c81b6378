"""Footnotes: numbered where they are first mentioned, listed at the end, and never mixed up with another answer's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.utils.html import escape
from django.utils.translation import gettext
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.footnote.index import footnote_tail

# In `env`: what makes the ids of an answer its own, and whether only a part of it is rendered.
KEY = "footnotes of"
IS_PART = "is part"


def footnotes(markdown: MarkdownIt) -> None:
    """A plugin of the parser."""
    markdown.use(partial(footnote_plugin, move_to_end=False))
    markdown.core.ruler.after("inline", "footnote_tail", _tail)
    for name, rule in (
        ("footnote_ref", _mention),
        ("footnote_anchor", _back),
        ("footnote_open", _open),
        ("footnote_close", lambda *_: "</li>\n"),
        ("footnote_block_open", lambda *_: '<ol class="footnotes" dir="auto">\n'),
        ("footnote_block_close", lambda *_: "</ol>\n"),
    ):
        markdown.add_render_rule(name, rule)


def _tail(state: StateCore) -> None:
    """Move the notes to the end; there is none yet in a part of an answer, whose notes are listed with the whole."""
    notes = state.env.get("footnotes")
    if notes and state.env.get(IS_PART):
        mentioned, notes["list"] = notes["list"], {}
        footnote_tail(state)
        notes["list"] = mentioned
    else:
        footnote_tail(state)


def _place(token: Token, env: Any) -> str:
    return f"{env.get(KEY, '')}-{token.meta['id'] + 1}"


def _again(token: Token) -> str:
    """What tells several mentions of a note apart."""
    return f"-{token.meta['subId'] + 1}" if token.meta.get("subId", 0) > 0 else ""


def _mention(_renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: Any, env: Any) -> str:
    token = tokens[index]
    place, number = _place(token, env), token.meta["id"] + 1
    name = escape(gettext("Footnote %(number)s") % {"number": number})
    link = f'<a href="#fn{place}" id="fnref{place}{_again(token)}" aria-label="{name}">{number}</a>'
    return f'<sup class="mention">{link}</sup>'


def _open(_renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: Any, env: Any) -> str:
    return f'<li id="fn{_place(tokens[index], env)}">'


def _back(_renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: Any, env: Any) -> str:
    token = tokens[index]
    name = escape(gettext("Back to the text"))
    return f' <a href="#fnref{_place(token, env)}{_again(token)}" class="back" aria-label="{name}">↩</a>'

"""CommonMark, tables, strikethrough, task lists, formulas, footnotes and bare addresses; raw HTML is shown as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.gfm_autolink import gfm_autolink_plugin

from chatsite.chat.rendering.code import code_block
from chatsite.chat.rendering.footnotes import IS_PART, KEY, footnotes
from chatsite.chat.rendering.links import honest_links
from chatsite.chat.rendering.mathematics import mathematics
from chatsite.chat.rendering.sanitising import sanitise

# Longer texts are shown as they are, and no model writes so much: the parser makes half a kilobyte of each character of
# some texts, in the process that has everybody's pages.
MAX_CHARACTERS = 300_000
# Longer paragraphs are shown as they are: the parser's inline rules are not linear.
INLINE_MAX_CHARACTERS = 20_000

_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
_HEADINGS = {"h1": "h3", "h2": "h4", "h3": "h5", "h4": "h6", "h5": "h6", "h6": "h6"}


def render(text: str, key: str = "") -> SafeString:
    """The HTML of a text. `key` tells its footnotes from those of other texts on the same page."""
    return _html(text, {KEY: key})


class Parts:
    """The HTML of a text that comes in parts: links that are defined in one part work in later ones."""

    def __init__(self, key: str = "") -> None:
        self._env: dict[str, Any] = {KEY: key, IS_PART: True}

    def render(self, text: str) -> SafeString:
        return _html(text, self._env)


def _html(text: str, env: dict[str, Any]) -> SafeString:
    return sanitise(_markdown.render(text, env) if len(text) <= MAX_CHARACTERS else code_block(text, ""))


# --- What is parsed, adapted to the page ------------------------------------------------------------------------


def _skip_long_inlines(state: StateCore) -> None:
    for token in state.tokens:
        if token.type == "inline" and len(token.content) > INLINE_MAX_CHARACTERS:
            token.type = "text"


def _adapt_blocks(state: StateCore) -> None:
    """Headings go below those of the page; the alignment of cells becomes a class, as CSP forbids styles."""
    for token in state.tokens:
        token.tag = _HEADINGS.get(token.tag, token.tag)
        if token.type in ("bullet_list_open", "ordered_list_open", "table_open"):
            token.attrSet("dir", "auto")  # the side of bullets and columns; text finds its direction by itself
        if style := token.attrs.pop("style", None):
            token.attrJoin("class", str(style).removeprefix("text-align:"))


def _adapt_links(state: StateCore) -> None:
    for token in state.tokens:
        if token.children:
            token.children = honest_links(token.children)
            for link in token.children:
                if link.type == "link_open":
                    link.attrSet("target", "_blank")


def _break_cells(state: StateCore) -> None:
    """In a cell of a table, where no line can end, models write `<br>`."""
    for opening, inline in pairwise(state.tokens):
        if opening.type in ("td_open", "th_open"):
            inline.children = list(chain.from_iterable(map(_broken, inline.children or [])))


def _broken(token: Token) -> Iterator[Token]:
    if token.type != "text":
        yield token
        return
    for place, line in enumerate(_BREAK.split(token.content)):
        if place:
            yield Token("hardbreak", "br", 0)
        yield Token("text", "", 0, content=line)


# --- How it is written ------------------------------------------------------------------------------------------


def _fence(_renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    token = tokens[index]
    return code_block(token.content, token.info.split()[0][:30] if token.info.split() else "")


def _list_item_open(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, _env: Any) -> str:
    """A list item; that of a task list begins with a box that has a name for those who cannot see it."""
    opening = renderer.renderToken(tokens, index, options, _env)
    if "checked" not in tokens[index].meta:
        return opening
    name, checked = (gettext("done"), " checked") if tokens[index].meta["checked"] else (gettext("to do"), "")
    return f'{opening}<input type="checkbox" disabled aria-label="{escape(name)}"{checked}> '


def _table_open(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, _env: Any) -> str:
    # A table wider than the page scrolls in a box of its own, which the keyboard can reach; scripts fill the bar.
    box = '<div class="table"><div class="table-bar"></div><div class="table-scroll" tabindex="0">'
    return box + renderer.renderToken(tokens, index, options, _env)


def _table_close(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, _env: Any) -> str:
    return renderer.renderToken(tokens, index, options, _env).rstrip() + "</div></div>\n"


def _parser() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "tasklists": True})
    markdown.enable(["table", "strikethrough"]).use(gfm_autolink_plugin).use(mathematics).use(footnotes)
    markdown.core.ruler.before("inline", "skip_long_inlines", _skip_long_inlines)
    markdown.core.ruler.push("adapt_blocks", _adapt_blocks)
    markdown.core.ruler.push("adapt_links", _adapt_links)
    markdown.core.ruler.push("break_cells", _break_cells)
    for name, rule in (
        ("fence", _fence),
        ("code_block", _fence),
        ("list_item_open", _list_item_open),
        ("table_open", _table_open),
        ("table_close", _table_close),
    ):
        markdown.add_render_rule(name, rule)
    return markdown


_markdown = _parser()

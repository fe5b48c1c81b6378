"""Formulas in Markdown: `$…$` and `\\(…\\)` in a line, `$$…$$` and `\\[…\\]` in a line or around lines of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.utils.html import escape
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from chatsite.chat.rendering.code import code_block
from chatsite.chat.rendering.tex import MAX_CHARACTERS, mathml

# What opens a formula of several lines, alone in its line, and what closes it, alone too.
FENCES = {"$$": "$$", "\\[": "\\]"}
# Longer formulas in a line get a box in which they scroll, as browsers do not break them.
SHORT_CHARACTERS = 40

_DELIMITERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))
_BRACED = re.compile(r"\\[a-zA-Z]+\s*(?:\{[^{}]*\})?")
_PROSE = re.compile(r"[^\W\d_]{2,} +[^\W\d_]{2,}|\s[^\W\d_]{2,}\s")


def mathematics(markdown: MarkdownIt) -> None:
    """A plugin of the parser."""
    ends = ["paragraph", "reference", "blockquote", "list"]  # as code between fences does
    markdown.block.ruler.before("fence", "formula_block", _block, {"alt": ends})
    markdown.inline.ruler.before("escape", "formula", _inline)
    markdown.add_render_rule("formula_block", _render_block)
    markdown.add_render_rule("formula", _render_inline)


def _block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    closing = None if state.is_code_block(start) else FENCES.get(_line(state, start))
    if closing is None:
        return False
    if silent:
        return True
    line, is_closed = start + 1, False
    while line < end and not is_closed:
        if state.sCount[line] < state.blkIndent and not state.isEmpty(line):
            break  # the list or the quote around it has ended
        is_closed = _line(state, line) == closing and not state.is_code_block(line)
        line += 1
    state.line = line
    token = state.push("formula_block", "math", 0)
    token.content = state.getLines(start + 1, line - is_closed, state.sCount[start], False)
    token.map = [start, line]
    return True


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].strip(" \t")


def _inline(state: StateInline, silent: bool) -> bool:
    for opening, closing in _DELIMITERS:
        if state.src.startswith(opening, state.pos):
            start = state.pos + len(opening)
            end = _end(state.src, start, closing)
            content = state.src[start:end]
            if end < 0 or not _is_formula(state, content, opening, end):
                return False
            if not silent:
                token = state.push("formula", "math", 0)
                token.content, token.markup = content.strip(), opening
                token.block = opening in FENCES
            state.pos = end + len(closing)
            return True
    return False


def _end(source: str, start: int, closing: str) -> int:
    """Where the formula that begins at `start` ends; -1 if it does not."""
    limit = start + MAX_CHARACTERS
    end = source.find(closing, start, limit)
    while closing[0] == "$" and end > 0 and source[end - 1] == "\\":  # \$ is a dollar within a formula
        end = source.find(closing, end + 1, limit)
    return end


def _is_formula(state: StateInline, content: str, opening: str, end: int) -> bool:
    """Money is none: a dollar has no space behind it where it opens, and before it, and no digit behind it, where it
    closes; and words in a row, or one by itself, are none either."""
    if not content.strip():
        return False
    if opening != "$":
        return True
    before, after = state.src[max(0, state.pos - 1) : state.pos], state.src[end + 1 : end + 2]
    is_tight = not (content[0].isspace() or content[-1].isspace())
    return is_tight and not (before.isalnum() or after.isalnum()) and not _PROSE.search(_BRACED.sub("", content))


def _render_block(_renderer: RendererHTML, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    content = tokens[index].content
    formula = mathml(content.strip(), True)
    return f'<div class="formula" tabindex="0">{formula}</div>\n' if formula else code_block(content, "tex")


def _render_inline(_renderer: RendererHTML, tokens: Sequence[Any], index: int, _options: Any, _env: Any) -> str:
    token = tokens[index]
    formula = mathml(token.content, token.block)
    if formula is None:
        return f"<code>{escape(token.content)}</code>"
    if token.block or len(token.content) > SHORT_CHARACTERS:
        return f'<span class="formula{" shown" if token.block else ""}">{formula}</span>'
    return formula

"""Rendering an answer while it is being written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.safestring import SafeString, mark_safe

from chatsite.chat.rendering.markdown import Parts
from chatsite.chat.rendering.mathematics import FENCES

# So much of a line is enough to see what it begins.
HEAD_CHARACTERS = 16

_BLANK = " \t\r\n"
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_FORMULA = re.compile(r" {0,3}(\$\$|\\\[)[ \t\r\n]*$")
_HEADING = re.compile(r" {0,3}#{1,6}([ \t\r\n]|$)")
_RULE = re.compile(r" {0,3}([-*_])([ \t]*\1){2,}[ \t\r\n]*$")
_ITEM = re.compile(r" {0,3}([-+*]|\d{1,9}[.)])([ \t]+|[\r\n]+|$)")
_ITEM_AFTER_TEXT = re.compile(r"([-+*]|1[.)])[ \t]+[^ \t\r\n]")  # what may end a paragraph
_MAY_BE_ITEM = re.compile(r"[-+*]$|\d+[.)]?$")  # what is known of a line that may become an item
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t\r\n]*$")


@dataclass(frozen=True)
class Block:
    """A finished piece of an answer: the HTML of everything up to the character `upto` that was open before."""

    html: SafeString
    upto: int


class BlockRenderer:
    """Renders an answer while it is being written, each top-level block once.

    A block is finished as soon as a line shows that a later one has begun. Lines are looked at once and blocks
    parsed once, so the work grows with the text alone. For documents whose reference links are defined before
    they are used, the HTML of all blocks and of the tail, one after the other, is that of `render(text)`; a link or a
    footnote whose definition comes later shows as text until the whole answer is rendered. Where a line leaves it open
    whether a block has ended (an indented line after a list), both are kept together until one that is clear.
    """

    def __init__(self, key: str = "") -> None:
        """`key` tells the footnotes of this answer from those of others."""
        self.length = 0  # code points fed so far
        self._html: list[SafeString] = []
        self._parts = Parts(key)
        self._lines: list[str] = []  # complete lines of the open block
        self._partial: list[str] = []  # the line that is being written
        self._head = ""  # its first characters
        self._start = 0  # where the open block starts
        self._open_length = 0  # code points in self._lines
        self._reset_state()

    def _reset_state(self) -> None:
        # fence, list, quote, code, paragraph; complete: any line begins the next block; closed: it has ended itself
        self._kind = ""
        self._after_blank = False
        self._closing_fence: re.Pattern[str] | None = None
        self._content_indent = 0  # lists: where an item's text starts
        self._marker = ""  # lists: what ends an item's marker; another one begins another list

    @property
    def html(self) -> SafeString:
        """The finished blocks."""
        return mark_safe("".join(self._html))  # noqa: S308 - every part is safe

    @property
    def tail(self) -> str:
        """The text of the block that is still open."""
        self._lines = ["".join(self._lines)] if self._lines else []
        self._partial = ["".join(self._partial)] if self._partial else []
        return "".join(self._lines + self._partial)

    def feed(self, delta: str) -> list[Block]:
        """Add `delta`; gives the blocks that this finished."""
        self.length += len(delta)
        blocks: list[Block] = []
        *lines, rest = delta.split("\n")
        for line in lines:
            complete = "".join([*self._partial, line, "\n"])
            self._partial = []
            if self._begins_block(complete) and (block := self._finish()):
                blocks.append(block)
            self._take(complete)
            if self._kind == "closed" and (block := self._finish()):
                blocks.append(block)
            self._head = ""
        if rest:
            self._partial.append(rest)
            if len(self._head) < HEAD_CHARACTERS:
                self._head += rest[:HEAD_CHARACTERS]
                if self._begins_block(self._head, is_complete=False) and (block := self._finish()):
                    blocks.append(block)
        return blocks

    def _finish(self) -> Block | None:
        """Render the open block. None for blank lines."""
        text = "".join(self._lines)
        self._start += self._open_length
        self._lines, self._open_length = [], 0
        self._reset_state()
        html = self._parts.render(text) if text.strip(_BLANK) else SafeString()
        if not html:
            return None
        self._html.append(html)
        return Block(html, self._start)

    def _begins_block(self, line: str, is_complete: bool = True) -> bool:
        """Whether `line` certainly starts a new top-level block, so that the open one is finished.

        Of a line that is not complete, only the beginning is known, and whatever follows must not change the answer.
        """
        if not self._kind or self._kind == "fence" or not line.strip(_BLANK):
            return False
        if self._kind == "complete":
            return True
        if is_complete and _closing(line) and (self._kind != "list" or _indent(line) < self._content_indent):
            return True
        if line[0] in " \t":
            return False
        if is_complete and _HEADING.match(line):
            return True
        if self._after_blank and self._kind == "list":
            item = _ITEM.match(line)
            return item[1][-1] != self._marker if item else is_complete or not _MAY_BE_ITEM.match(line)
        if self._after_blank:
            return True
        if self._kind != "quote" and line[0] == ">":
            return True
        return self._kind != "list" and bool(_ITEM_AFTER_TEXT.match(line))

    def _take(self, line: str) -> None:
        """Make `line` part of the open block and note what that says about the block."""
        is_blank = not line.strip(_BLANK)
        if self._kind == "fence":
            if self._closing_fence and self._closing_fence.match(line):
                self._kind = "closed"
        elif not self._kind:
            if not is_blank:
                self._open(line)
        elif self._kind == "paragraph" and not self._after_blank and _UNDERLINE.match(line):
            self._kind = "complete"
        elif _indent(line) < (self._content_indent or 4):
            # A list or a quote may have begun inside the block, where a line alone cannot tell.
            if item := _ITEM.match(line):
                self._open_item(item)
            elif line.lstrip(" ").startswith(">"):
                self._kind = "quote"
        self._after_blank = is_blank
        self._lines.append(line)
        self._open_length += len(line)

    def _open(self, line: str) -> None:
        """Begin a block with `line`."""
        if closing := _closing(line):
            self._kind, self._closing_fence = "fence", closing
        elif _HEADING.match(line) or _RULE.match(line):
            self._kind = "complete"
        elif item := _ITEM.match(line):
            self._open_item(item)
        elif _indent(line) >= 4:
            self._kind = "code"
        else:
            self._kind = "quote" if line.lstrip(" ").startswith(">") else "paragraph"

    def _open_item(self, item: re.Match[str]) -> None:
        self._kind, self._content_indent = "list", item.end()
        if item[0][0] != " " or not self._marker:
            self._marker = item[1][-1]


def _closing(line: str) -> re.Pattern[str] | None:
    """What closes the code or the formula that `line` opens; None if it opens none."""
    if fence := _FENCE.match(line):
        mark = fence[1]
        return re.compile(rf" {{0,3}}{re.escape(mark[0])}{{{len(mark)},}}[ \t\r\n]*$")
    if formula := _FORMULA.match(line):
        return re.compile(rf" {{0,3}}{re.escape(FENCES[formula[1]])}[ \t\r\n]*$")
    return None


def _indent(line: str) -> int:
    expanded = line.expandtabs(4)
    return len(expanded) - len(expanded.lstrip(" "))

"""Plain text inside Markdown: shown as it is, whatever characters it holds, with as few backslashes as possible."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# What CommonMark, its tables, strike-through, task lists or HTML would read as markup.
_MARKUP = re.compile(
    r"\\(?=[!-/:-@\[-`{-~]|$)"  # an escape
    r"|`"  # code
    r"|(?<!\s)\*|\*(?!\s)|^\*"  # emphasis
    r"|(?<![^\W_])_(?=\S)|(?<=\S)_(?![^\W_])|^_"  # emphasis, which underscores within words are not
    r"|~(?=~)|(?<=~)~"  # strike-through
    r"|\[(?=[^\]]*\][(\[:])|\[(?=[ xX^])"  # links, task boxes and footnotes
    r"|<(?=[a-zA-Z/!?])"  # HTML
    r"|&(?=#?\w+;)"  # entities
)
_LINE_START = re.compile(r"^(?:[#>]|[-+](?=[\s-]|$)|\d{1,9}(?=[.)](?:\s|$)))")


def escape(text: str) -> str:
    """`text`, on one line, so that rendered Markdown shows exactly this text."""
    plain = " ".join(_CONTROL.sub("", text).split())
    return _LINE_START.sub(_escaped_start, _MARKUP.sub(r"\\\g<0>", plain))


def cell(text: str) -> str:
    """`text` as the content of a table's cell."""
    return escape(text).replace("|", r"\|")


def _escaped_start(match: re.Match[str]) -> str:
    return f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}"

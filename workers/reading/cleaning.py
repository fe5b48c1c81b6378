"""Text as it is kept: without what nobody sees and no text needs."""

from __future__ import annotations

import re

# Controls but tab and line feed; surrogates; tags (U+E0000 to U+E007F), which hide instructions from the reader's eyes;
# marks of no width and those that turn the direction of what follows.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\U000e0000-\U000e007f\u200b\u2060-\u2064\u202a-\u202e\u2066-\u2069\ufeff\u00ad]"
)
_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
# To try a run of blanks again from each of its blanks would take quadratic time.
_TRAILING = re.compile(r"(?<![ \t])[ \t]++$", re.MULTILINE)


def clean(text: str) -> str:
    """`text` with plain line ends, at most one blank line in a row, and nothing unseen."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n")
    return _BLANK_LINES.sub("\n\n", _TRAILING.sub("", _UNSEEN.sub("", text))).strip()

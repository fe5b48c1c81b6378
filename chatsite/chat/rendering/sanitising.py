"""The last step of rendering: whatever is not named here does not reach the page."""

from __future__ import annotations

import re

import nh3
from django.utils.safestring import SafeString, mark_safe

from chatsite.chat.rendering import code, tex

_WEB = re.compile(r"(https?|mailto):", re.IGNORECASE)
_NOTE = re.compile(r"#?fn(ref)?[0-9a-f-]*-\d+")


def _only_ours(_tag: str, name: str, value: str) -> str | None:
    """Addresses lead to the web or to a footnote, and only footnotes have ids."""
    if name == "href":
        return value if _WEB.match(value) or _NOTE.fullmatch(value) else None
    return value if name != "id" or _NOTE.fullmatch(value) else None


_sanitiser = nh3.Cleaner(
    tags={
        *("p", "br", "hr", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li", "input"),
        *("strong", "em", "s", "sup", "a", "code", "pre", "div", "span"),
        *("table", "thead", "tbody", "tr", "th", "td"),
        *tex.TAGS,
    },
    attributes={
        "a": {"href", "title", "id", "aria-label"},
        "li": {"id"},
        "ol": {"start", "dir"},
        "ul": {"dir"},
        "table": {"dir"},
        "pre": {"tabindex"},
        "div": {"tabindex"},
        "input": {"disabled", "checked", "aria-label"},
        **{tag: set(tex.ATTRIBUTES) for tag in tex.TAGS},
    },
    allowed_classes={
        "a": {"picture", "back"},
        "div": {"code", "code-bar", "table", "table-bar", "table-scroll", "formula"},
        "span": code.CLASSES | {"formula", "shown"},
        "sup": {"mention"},
        "ol": {"footnotes"},
        "ul": {"contains-task-list"},
        "li": {"task-list-item"},
        "th": {"left", "center", "right"},
        "td": {"left", "center", "right"},
    },
    tag_attribute_values={"input": {"type": {"checkbox"}}, "a": {"target": {"_blank"}}},
    link_rel="noopener noreferrer nofollow",
    url_schemes={"http", "https", "mailto"},
    url_relative="pass_through",  # and `_only_ours` takes them
    attribute_filter=_only_ours,
)


def sanitise(html: str) -> SafeString:
    """What is safe of `html`."""
    return mark_safe(_sanitiser.clean(html))  # noqa: S308 - this is what makes it safe

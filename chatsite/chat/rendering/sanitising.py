"""The last step of rendering: whatever is not named here does not reach the page."""

from __future__ import annotations

import nh3
from django.utils.safestring import SafeString, mark_safe

from chatsite.chat.rendering import code

_sanitiser = nh3.Cleaner(
    tags={
        *("p", "br", "hr", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li", "input"),
        *("strong", "em", "s", "a", "code", "pre", "div", "span"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    },
    attributes={
        "a": {"href", "title"},
        "ol": {"start", "dir"},
        "ul": {"dir"},
        "table": {"dir"},
        "pre": {"tabindex"},
        "div": {"tabindex"},
        "input": {"disabled", "checked", "aria-label"},
    },
    allowed_classes={
        "a": {"picture"},
        "div": {"code", "code-bar", "table"},
        "span": code.CLASSES,
        "ul": {"contains-task-list"},
        "li": {"task-list-item"},
        "th": {"left", "center", "right"},
        "td": {"left", "center", "right"},
    },
    tag_attribute_values={"input": {"type": {"checkbox"}}},
    set_tag_attribute_values={"a": {"target": "_blank"}},
    link_rel="noopener noreferrer nofollow",
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
)


def sanitise(html: str) -> SafeString:
    """What is safe of `html`."""
    return mark_safe(_sanitiser.clean(html))  # noqa: S308 - this is what makes it safe

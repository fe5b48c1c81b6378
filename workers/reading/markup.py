"""The text of a web page. Nothing in it is run, and nothing that it names is fetched."""

from __future__ import annotations

from html.parser import HTMLParser

from workers.reading.plain import decode

_UNSEEN = {"script", "style", "template", "noscript", "svg", "math", "head", "iframe", "object", "select", "textarea"}
_BLOCKS = {
    *("p", "div", "section", "article", "header", "footer", "main", "aside", "nav", "ul", "ol", "table", "tr", "br"),
    *("blockquote", "pre", "figure", "figcaption", "dl", "dt", "dd", "hr", "form", "fieldset", "address"),
}
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}


def read(content: bytes) -> tuple[str, None]:
    """The text that a reader of the page sees, and that it has no pages."""
    text = _Text()
    text.feed(decode(content))
    text.close()
    return "".join(text.parts), None


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = ""  # the element that hides what is in it
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._unseen:
            self._depth += tag == self._unseen
        elif tag in _UNSEEN:
            self._unseen, self._depth = tag, 1
        elif tag in _HEADINGS:
            self.parts.append(f"\n\n{_HEADINGS[tag]} ")
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag in ("td", "th"):
            self.parts.append(" ")
        elif tag in _BLOCKS:
            self.parts.append("\n" if tag in ("br", "tr", "dd") else "\n\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._unseen and tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            self._depth -= tag == self._unseen
            # Browsers end the head where the body begins, whether it says so or not.
            if not self._depth or (self._unseen == "head" and tag == "html"):
                self._unseen = ""
        elif tag in _BLOCKS or tag in _HEADINGS:
            self.parts.append("\n\n" if tag != "tr" else "\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(" ".join(f" {data} ".split()) if not data.strip() else _squeezed(data))


def _squeezed(data: str) -> str:
    """Runs of white space are one space, as on the page."""
    left = " " if data[:1].isspace() else ""
    right = " " if data[-1:].isspace() else ""
    return f"{left}{' '.join(data.split())}{right}"

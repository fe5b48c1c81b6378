"""TeX as MathML, which browsers show by themselves: without a script, a font or a request.

The library that translates writes HTML that nobody should trust (it takes `\\text{<img …>}` for markup, and makes a
link of `\\href`). So only its tree is used, and of that only what is named here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import convert_to_element

# Longer formulas are shown as they were written.
MAX_CHARACTERS = 2_000

TAGS = frozenset(
    {
        *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mstyle", "mpadded", "mphantom", "menclose"),
        *("mfrac", "msqrt", "mroot", "msub", "msup", "msubsup", "munder", "mover", "munderover"),
        *("mtable", "mtr", "mtd"),
    }
)
_WORD = re.compile(r"[a-z]{1,20}")
# Longer ones would put a formula over what others wrote.
_LENGTH = re.compile(r"[+-]?\d{0,1}(\.\d{1,4})?(em|ex)|[+-]?\d{0,2}(\.\d{1,4})?(px|pt)|0")
_NUMBER = re.compile(r"[0-9]")
_VALUES = {
    **dict.fromkeys(("accent", "accentunder", "columnalign", "display", "displaystyle", "fence", "form"), _WORD),
    **dict.fromkeys(("largeop", "mathvariant", "movablelimits", "notation", "stretchy"), _WORD),
    **dict.fromkeys(("depth", "height", "lspace", "maxsize", "minsize", "rspace", "voffset", "width"), _LENGTH),
    **dict.fromkeys(("linethickness", "scriptlevel"), _NUMBER),
}
ATTRIBUTES = frozenset(_VALUES)

_MACROS = re.compile(r"\\(?:re|provide)?newcommand|\\[gex]?def\b|\\let\b|\\DeclareMathOperator")
_REFERENCE = re.compile(r"&#x[0-9a-fA-F]+;")  # the library's way to write a symbol
_LETTER = re.compile(r"&#x0*(?:4[1-9A-F]|5[0-9A]|6[1-9A-F]|7[0-9A]);", re.IGNORECASE)  # of \mathrm{m}
_LIMITS = re.compile(r"\\(?:lim|max|min|sup|inf|limsup|liminf|argmax|argmin|det|gcd|Pr)(?=\s*_)")
# Surroundings that the library does not know, and what comes closest.
_SURROUNDINGS = {
    **dict.fromkeys(("aligned", "align", "gather", "gather*", "gathered", "multline", "multline*", "split"), "align*"),
    **dict.fromkeys(("alignat", "alignat*", "eqnarray", "eqnarray*", "flalign", "flalign*"), "align*"),
    **dict.fromkeys(("dcases", "rcases"), "cases"),
    **dict.fromkeys(("equation", "equation*"), ""),
}
_SURROUNDING = re.compile(r"\\(begin|end)\s*\{([a-z]+\*?)\}")


@lru_cache(maxsize=4096)
def mathml(source: str, is_block: bool) -> str | None:
    """A formula as a `<math>` element; None if it is not understood."""
    if len(source) > MAX_CHARACTERS or _MACROS.search(source):  # macros can make a short formula endless
        return None
    display = "block" if is_block else "inline"
    try:
        return tostring(_safe(convert_to_element(_adapted(source, is_block), display=display)), encoding="unicode")
    except Exception:  # the library has dozens of errors of its own, and recursion ends in one of Python's
        return None


def _adapted(source: str, is_block: bool) -> str:
    source = _SURROUNDING.sub(_known_surrounding, source)
    return _LIMITS.sub(r"\g<0>\\limits", source) if is_block else source


def _known_surrounding(match: re.Match[str]) -> str:
    name = _SURROUNDINGS.get(match[2], match[2])
    return f"\\{match[1]}{{{name}}}" if name else ""


def _safe(element: Element) -> Element:
    """A copy with nothing but known tags, harmless attributes and text. Raises `ValueError` for anything else."""
    text = element.text or ""
    if element.tag not in TAGS or (element.tag in ("mi", "mo") and text.startswith("\\")):
        raise ValueError(f"not understood: {element.tag} {text}")
    kept = {name: value for name, value in element.attrib.items() if name in _VALUES and _VALUES[name].fullmatch(value)}
    if element.tag == "mi" and _LETTER.fullmatch(text):
        kept["mathvariant"] = "normal"
    copy = Element(element.tag, kept)
    copy.text = _REFERENCE.sub(lambda match: unescape(match[0]), text)
    copy.extend(_safe(child) for child in element)
    return copy

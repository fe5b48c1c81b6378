"""Code in colours: by class, so that the page's style sheet decides between light and dark."""

from __future__ import annotations

from functools import lru_cache

from django.utils.html import escape
from pygments import highlight as pygmentise
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

# Longer code stays plain: some lexers are not linear.
MAX_CHARACTERS = 50_000

# Every class that highlighted code can have.
CLASSES = frozenset(name for name in STANDARD_TYPES.values() if name)

_formatter: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


def highlight(code: str, language: str) -> str:
    """`code` as HTML, highlighted if the language is known."""
    lexer = _lexer(language) if language and len(code) <= MAX_CHARACTERS else None
    return pygmentise(code, lexer, _formatter) if lexer else escape(code)


def code_block(code: str, language: str) -> str:
    """A box with the name of the language; a script adds its buttons."""
    bar = f'<div class="code-bar"><span>{escape(language or "text")}</span></div>'
    return f'<div class="code">{bar}<pre tabindex="0"><code>{highlight(code, language)}</code></pre></div>\n'


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None

"""Code in colours: by class, so that the page's style sheet decides between light and dark."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any

from django.utils.html import escape
from pygments import format as write
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

# A lexer is a list of regular expressions. For odd texts, many take the square or the cube of their length, and they
# run where everybody's pages and sockets are. So what is longer stays plain, and so does what takes ten times as long
# as real code, which is seen between two tokens. Where a single token can take that long, as in very long lines and in
# the languages that are not named here, nothing would be seen.
MAX_CHARACTERS = 50_000
MAX_LINE_CHARACTERS = 2_000
SECONDS, SECONDS_PER_CHARACTER = 0.2, 10e-6  # of a processor; real code takes 0.1 to 1.1 microseconds per character
_NAMES = """
awk bash batch c clojure cmake common-lisp console cpp csharp css dart delphi diff django docker elixir erlang
fortran fsharp gas go graphql groovy haskell html html+django http ini java javascript json json5 jsx julia
kotlin less lua make markdown mysql nasm nginx nimrod objective-c ocaml perl php postgresql powershell
prolog protobuf pycon python ruby rust sass scala scheme scss solidity splus sql swift terraform tex toml tsx
typescript vb.net verilog vhdl vim vue xml yaml zig
"""
LANGUAGES = frozenset(_NAMES.split())  # each by the first of its lexer's names

# Every class that highlighted code can have.
CLASSES = frozenset(name for name in STANDARD_TYPES.values() if name)

_formatter: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


class _TooSlowError(Exception):
    """The lexer takes longer than it does for code."""


def highlight(code: str, language: str) -> str:
    """`code` as HTML, highlighted if the language is known."""
    is_short = len(code) <= MAX_CHARACTERS and max(map(len, code.split("\n"))) <= MAX_LINE_CHARACTERS
    if language and is_short and (lexer := _lexer(language)):
        with suppress(_TooSlowError):
            tokens = _in_time(lexer.get_tokens(code), SECONDS + SECONDS_PER_CHARACTER * len(code))
            return str(write(tokens, _formatter))
    return escape(code)


def _in_time(tokens: Iterable[Any], seconds: float) -> Iterator[Any]:
    """The tokens, as long as this thread has not computed for so long."""
    end = time.thread_time() + seconds
    for token in tokens:
        if time.thread_time() > end:
            raise _TooSlowError
        yield token


def code_block(code: str, language: str) -> str:
    """A box with the name of the language; a script adds its buttons."""
    bar = f'<div class="code-bar"><span>{escape(language or "text")}</span></div>'
    return f'<div class="code">{bar}<pre tabindex="0"><code>{highlight(code, language)}</code></pre></div>\n'


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    try:
        # Markdown would call for the lexers of all languages again.
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False, handlecodeblocks=False)
    except ClassNotFound:
        return None
    return lexer if lexer.aliases[0] in LANGUAGES else None

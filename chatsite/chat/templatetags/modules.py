"""The modules of a page, named in its head, so that a browser asks for all of them at once and not level by level."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from django import template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

# Not `import("./…")`: what is fetched when it is needed waits until then.
IMPORT = re.compile(r'^import [^"(]*"\./([\w-]+\.js)";$', re.MULTILINE)

register = template.Library()


@register.simple_tag
def preload_modules(script: str) -> SafeString:
    """A link for each module that `script` (a static file) imports, directly or not."""
    names = imports(script) if settings.DEBUG else _imports_for_good(script)
    return format_html_join("\n  ", '<link rel="modulepreload" href="{}">', ((static(name),) for name in names))


def imports(script: str) -> tuple[str, ...]:
    """The modules that a script imports, sorted."""
    found: set[str] = set()
    waiting = [script]
    while waiting:
        name = waiting.pop()
        folder = Path(name).parent
        source = Path(str(finders.find(name))).read_text()
        new = {str(folder / module) for module in IMPORT.findall(source)} - found
        found |= new
        waiting += new
    return tuple(sorted(found))


_imports_for_good = lru_cache(imports)

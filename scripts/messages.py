"""The words of the interface: collected from templates and code, merged into each catalogue, compiled.

`make messages` does it. A text that has no translation yet is left empty in `locale/<language>/LC_MESSAGES/django.po`,
where a person enters it; tests/pages/test_languages.py fails until that is done and compiled. All of it is Python, so
no machine needs GNU gettext.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "locale"
CODE = ("chatsite", "router", "workers")
KEYWORDS: dict[str, Any] = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}


def main() -> None:
    for po in sorted(LOCALE.glob("*/LC_MESSAGES/django.po")):
        catalogue = read(po)
        merge(catalogue)
        po.write_bytes(written(catalogue))
        po.with_suffix(".mo").write_bytes(compiled(catalogue))
        print(f"{po.relative_to(ROOT)}: {len(catalogue)} texts, {len(untranslated(catalogue))} without a translation")


def collected() -> Catalog:
    """Every text of the interface, with the files that it stands in."""
    catalogue = Catalog()
    for path, source in _sources():
        for _, text, comments, context in extract("python", io.BytesIO(source), KEYWORDS, ["Translators:"]):
            name = str(path.relative_to(ROOT))
            catalogue.add(text, locations=[(name, 0)], auto_comments=comments, context=context)
    return catalogue


def read(po: Path) -> Catalog:
    """A catalogue in its file."""
    with po.open("rb") as file:
        return read_po(file, locale=po.parent.parent.name)


def merge(catalogue: Catalog) -> None:
    """Add what is new in the sources, and drop what is gone. A changed text is a new one: nothing is guessed."""
    template = collected()
    template.creation_date = catalogue.creation_date
    catalogue.update(template, no_fuzzy_matching=True)
    catalogue.obsolete.clear()


def written(catalogue: Catalog) -> bytes:
    file = io.BytesIO()
    write_po(file, catalogue, width=120, sort_by_file=True, include_lineno=False)
    return file.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    file = io.BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def untranslated(catalogue: Catalog) -> list[Any]:
    """The texts that are shown in English still."""
    return [message.id for message in catalogue if message.id and (message.fuzzy or not all(_forms(message.string)))]


def _forms(text: Any) -> tuple[str, ...]:
    return tuple(text) if isinstance(text, tuple | list) else (text,)


def _sources() -> Iterator[tuple[Path, bytes]]:
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path, path.read_bytes()
    for path in sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in (".html", ".txt")):
        # What is no text becomes a row of X, indented as it was, which is no Python.
        yield path, re.sub(r"(?m)^[ \t]+", "", templatize(path.read_text())).encode()


if __name__ == "__main__":
    main()

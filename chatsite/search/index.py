"""The index of all that people wrote and got, kept by triggers of the database.

Whoever writes a title, a message, an answer or the text of a file, in whatever way, need not know of it. Every text is
copied into `search_entry`, a long one in parts; over that lies SQLite's FTS5 (`sqlite.py`) or PostgreSQL's full text
search (`postgresql.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from django.db import connection, transaction
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from chatsite.search import postgresql, sqlite
from chatsite.search.models import Entry
from chatsite.search.sources import ANSWERS, ENTER, FILES, MESSAGES, TITLES
from chatsite.search.terms import Term


def keep_up() -> None:
    """See to it that what is written is entered from now on, and that what was written before is too."""
    with transaction.atomic(), connection.cursor() as cursor:
        if _database().is_kept(cursor) or not _is_as_it_should_be(cursor):
            return
        _database().install(cursor)
        cursor.execute(
            f"{ENTER} {TITLES} AND NOT EXISTS "
            "(SELECT 1 FROM search_entry e WHERE e.conversation_id = c.id AND e.message_id IS NULL)"
        )
        of_message, of_file = "e.message_id = m.id AND e.attachment_id IS NULL", "e.attachment_id = f.id"
        for source, same in ((MESSAGES, of_message), (ANSWERS, of_message), (FILES, of_file)):
            select = source.format(parts=_database().PARTS)
            cursor.execute(f"{ENTER} {select} AND NOT EXISTS (SELECT 1 FROM search_entry e WHERE {same})")


def make_way() -> None:
    """Take away what would stand in the way of a migration, or be lost by it; `keep_up` brings it back."""
    with connection.cursor() as cursor:
        _database().make_way(cursor)


def remove() -> None:
    """Take away everything but the table of entries."""
    with connection.cursor() as cursor:
        _database().remove(cursor)


def found(user_id: int, terms: Sequence[Term]) -> RawSQL:
    """The condition for the entries of a person in which all terms occur."""
    sql, parameters = _database().condition(user_id, terms)
    return RawSQL(sql, parameters, output_field=BooleanField())  # noqa: S611  (see the parameters)


def _is_as_it_should_be(cursor: Any) -> bool:
    """Whether the table of entries has all its columns; not so where migrations were taken back."""
    table = Entry._meta.db_table
    if table not in connection.introspection.table_names(cursor):
        return False
    there = {column.name for column in connection.introspection.get_table_description(cursor, table)}
    return {field.column for field in Entry._meta.concrete_fields} <= there


def _database() -> ModuleType:
    return postgresql if connection.vendor == "postgresql" else sqlite

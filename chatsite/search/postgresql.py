"""The index in PostgreSQL: a column of the words of each entry, with diacritics folded, under a GIN index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatsite.search.sources import ANSWERS, ENTER, FILES, MESSAGES, MOST_PARTS, TITLES
from chatsite.search.terms import Term, without_accents

PARTS = f"(SELECT part FROM generate_series(0, {MOST_PARTS - 1}) AS part) p"

# As SQLite's tokenizer reads a text. The extension unaccent does less, and is not everywhere.
_FOLD = r"""
CREATE OR REPLACE FUNCTION search_fold(given text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT regexp_replace(
    regexp_replace(normalize(given, NFD), '[\u0300-\u036f]', '', 'g'),
    '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007f]+', ' ', 'g')
$$"""
_COLUMN = (
    "ALTER TABLE search_entry ADD COLUMN IF NOT EXISTS words tsvector "
    "GENERATED ALWAYS AS (to_tsvector('pg_catalog.simple', search_fold(text))) STORED"
)
_INDEX = "CREATE INDEX IF NOT EXISTS search_entry_words ON search_entry USING gin (words)"

_OF_TITLE = "DELETE FROM search_entry WHERE conversation_id = new.id AND message_id IS NULL"
_TITLE = f"{_OF_TITLE}; {ENTER} {TITLES} AND c.id = new.id"
_MESSAGE = (
    "DELETE FROM search_entry WHERE message_id = new.id AND attachment_id IS NULL; "
    f"{ENTER} {MESSAGES.format(parts=PARTS)} AND m.id = new.id"
)
_ANSWER = (
    f"DELETE FROM search_entry WHERE message_id = new.reply_id; {ENTER} {ANSWERS.format(parts=PARTS)} AND a.id = new.id"
)
_FILE = f"DELETE FROM search_entry WHERE attachment_id = new.id; {ENTER} {FILES.format(parts=PARTS)} AND f.id = new.id"

# By name: when, on which table, under which condition, and what then.
_TRIGGERS = {
    "title": ("AFTER INSERT OR UPDATE OF title", "chat_conversation", "true", _TITLE),
    "message": ("AFTER INSERT OR UPDATE OF text", "chat_message", "new.text <> ''", _MESSAGE),
    "answer": (
        "AFTER INSERT OR UPDATE OF text, finished_at",
        "workers_completion",
        "new.finished_at IS NOT NULL",
        _ANSWER,
    ),
    "file": ("AFTER INSERT OR UPDATE OF name, text, message_id", "documents_attachment", "true", _FILE),
}


def is_kept(cursor: Any) -> bool:
    """Whether all triggers are there."""
    cursor.execute(
        "SELECT count(*) FROM pg_trigger WHERE tgname = ANY(%s)", [[f"search_of_{name}" for name in _TRIGGERS]]
    )
    return bool(cursor.fetchone()[0] == len(_TRIGGERS))


def install(cursor: Any) -> None:
    """Make the index and its triggers. The caller enters what was written before."""
    for statement in (_FOLD, _COLUMN, _INDEX):
        cursor.execute(statement)
    for name, (moment, table, condition, action) in _TRIGGERS.items():
        cursor.execute(
            f"CREATE OR REPLACE FUNCTION search_enter_{name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {action}; RETURN NULL; END $$"
        )
        cursor.execute(f"DROP TRIGGER IF EXISTS search_of_{name} ON {table}")
        cursor.execute(
            f"CREATE TRIGGER search_of_{name} {moment} ON {table} FOR EACH ROW WHEN ({condition}) "
            f"EXECUTE FUNCTION search_enter_{name}()"
        )


def make_way(cursor: Any) -> None:
    """Nothing is in the way of a migration: tables are changed where they are."""


def remove(cursor: Any) -> None:
    """Take away the triggers, the column and their functions."""
    for name, (_, table, _, _) in _TRIGGERS.items():
        cursor.execute(f"DROP TRIGGER IF EXISTS search_of_{name} ON {table}")
        cursor.execute(f"DROP FUNCTION IF EXISTS search_enter_{name}")
    cursor.execute("ALTER TABLE search_entry DROP COLUMN IF EXISTS words")
    cursor.execute("DROP FUNCTION IF EXISTS search_fold")


def condition(user_id: int, terms: Sequence[Term]) -> tuple[str, list[Any]]:
    """SQL for the entries of a person in which all terms occur, with its parameters."""
    query = " & ".join(_phrase(term) for term in terms)
    return "search_entry.user_id = %s AND search_entry.words @@ to_tsquery('simple', %s)", [user_id, query]


def _phrase(term: Term) -> str:
    quoted = [f"'{without_accents(word)}'" for word in term.words]  # as `search_fold` makes them
    return f"({' <-> '.join(quoted)}{':*' if term.is_prefix else ''})"

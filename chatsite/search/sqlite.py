"""The index in SQLite: FTS5 over the table of entries.

SQLite changes a table by making it anew. That loses its triggers, and fails where triggers of other tables name it; so
they make way before a migration and are made again after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatsite.search.sources import ANSWERS, ENTER, FILES, MESSAGES, MOST_PARTS, TITLES
from chatsite.search.terms import Term

PARTS = f"(SELECT value AS part FROM json_each('{list(range(MOST_PARTS))}')) p"

_WORDS = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS search_words USING fts5(user_id, text, content='search_entry', "
    "content_rowid='id', tokenize='unicode61 remove_diacritics 2', prefix='2 3')"
)
_FORGET = (
    "INSERT INTO search_words (search_words, rowid, user_id, text) VALUES ('delete', old.id, old.user_id, old.text);"
)
_LEARN = "INSERT INTO search_words (rowid, user_id, text) VALUES (new.id, new.user_id, new.text);"
_TITLE = f"{ENTER} {TITLES} AND c.id = new.id;"
_MESSAGE = f"{ENTER} {MESSAGES.format(parts=PARTS)} AND m.id = new.id;"
_ANSWER = f"{ENTER} {ANSWERS.format(parts=PARTS)} AND a.id = new.id;"
_FILE = f"{ENTER} {FILES.format(parts=PARTS)} AND f.id = new.id;"

# By name: when, and what then.
_TRIGGERS = {
    "entry_new": ("AFTER INSERT ON search_entry", _LEARN),
    "entry_gone": ("AFTER DELETE ON search_entry", _FORGET),
    "title_new": ("AFTER INSERT ON chat_conversation", _TITLE),
    "title_changed": (
        "AFTER UPDATE OF title ON chat_conversation WHEN new.title <> old.title",
        f"DELETE FROM search_entry WHERE conversation_id = new.id AND message_id IS NULL; {_TITLE}",
    ),
    "message_new": ("AFTER INSERT ON chat_message WHEN new.text <> ''", _MESSAGE),
    "message_changed": (
        "AFTER UPDATE OF text ON chat_message WHEN new.text <> old.text",
        f"DELETE FROM search_entry WHERE message_id = new.id AND attachment_id IS NULL; {_MESSAGE}",
    ),
    "answer_new": ("AFTER INSERT ON workers_completion WHEN new.finished_at IS NOT NULL", _ANSWER),
    "answer_changed": (
        "AFTER UPDATE OF text, finished_at ON workers_completion WHEN new.finished_at IS NOT NULL",
        f"DELETE FROM search_entry WHERE message_id = new.reply_id; {_ANSWER}",
    ),
    "file_new": ("AFTER INSERT ON documents_attachment WHEN new.message_id IS NOT NULL", _FILE),
    "file_changed": (
        "AFTER UPDATE OF name, text, message_id ON documents_attachment",
        f"DELETE FROM search_entry WHERE attachment_id = new.id; {_FILE}",
    ),
}


def is_kept(cursor: Any) -> bool:
    """Whether all triggers are there."""
    return len(_present(cursor)) == len(_TRIGGERS)


def install(cursor: Any) -> None:
    """Make the index and its triggers. The caller enters what was written before."""
    make_way(cursor)
    cursor.execute(_WORDS)
    for name, (moment, action) in _TRIGGERS.items():
        cursor.execute(f"CREATE TRIGGER search_of_{name} {moment} BEGIN {action} END")
    cursor.execute("INSERT INTO search_words (search_words) VALUES ('rebuild')")  # entries that came meanwhile


def make_way(cursor: Any) -> None:
    """Take the triggers away."""
    for name in _present(cursor):
        cursor.execute(f'DROP TRIGGER "{name}"')


def remove(cursor: Any) -> None:
    """Take away the triggers and the index."""
    make_way(cursor)
    cursor.execute("DROP TABLE IF EXISTS search_words")


def condition(user_id: int, terms: Sequence[Term]) -> tuple[str, list[str]]:
    """SQL for the entries of a person in which all terms occur, with its parameters."""
    words = " AND ".join(f'"{" ".join(term.words)}"{" *" if term.is_prefix else ""}' for term in terms)
    match = f'user_id : "{user_id}" AND text : ({words})'
    return "search_entry.id IN (SELECT rowid FROM search_words WHERE search_words MATCH %s)", [match]


def _present(cursor: Any) -> list[str]:
    cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'search@_of@_%' ESCAPE '@'")
    return [name for (name,) in cursor.fetchall()]

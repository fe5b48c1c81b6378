"""Locks that a transaction holds until it ends."""

from django.db import connection


def lock_until_commit(name: str) -> None:
    """Wait until no other transaction holds the lock of this name, and hold it until this one ends.

    SQLite needs none: its transactions begin IMMEDIATE, so there is only one that writes.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])

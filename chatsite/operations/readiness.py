"""Whether this web process can serve: its database and Redis answer, and the database has every migration.

A process that is shutting down accepts no connection any more, so it cannot be asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import redis
from django.db import DatabaseError, connection

from chatsite.chat.threads import at_once
from chatsite.operations.checks import unapplied_migrations
from workers.connections import client

PATIENCE_SECONDS = 4.0
OK = "ok"
SILENT = "does not answer"
LACKING = "not all applied: run manage.py migrate"

Parts = dict[str, str]

_is_up_to_date = False  # once it is, it stays so


async def readiness() -> Parts:
    """What each part says, `ok` where it is well. Never raises, and takes a few seconds at most."""
    database, redis_server, migrations = await asyncio.gather(
        _in_time(at_once(_database)()), _in_time(asyncio.to_thread(_redis)), _in_time(at_once(_migrations)())
    )
    return {"database": database, "redis": redis_server, "migrations": migrations}


def is_ready(parts: Parts) -> bool:
    return set(parts.values()) == {OK}


async def _in_time(asked: Awaitable[str]) -> str:
    try:
        return await asyncio.wait_for(asked, PATIENCE_SECONDS)
    except TimeoutError:
        return SILENT


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return SILENT
    return OK


def _redis() -> str:
    try:
        client().ping()
    except redis.RedisError:
        return SILENT
    return OK


def _migrations() -> str:
    global _is_up_to_date
    try:
        _is_up_to_date = _is_up_to_date or not unapplied_migrations()
    except DatabaseError:
        return SILENT
    return OK if _is_up_to_date else LACKING

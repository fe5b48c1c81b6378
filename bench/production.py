"""Loaded before Django's settings: a Redis server and a folder of the bench's own, and the settings of production.

With `DEBUG` on, Django keeps and quotes every query, which costs more than the queries.
"""

from __future__ import annotations

import os
import secrets

import redis

from tests import environment  # noqa: F401  (starts Redis)


def _prepare() -> None:
    password = secrets.token_urlsafe()
    redis.Redis.from_url(os.environ["REDIS_URL"]).config_set("requirepass", password)
    os.environ["REDIS_URL"] = os.environ["REDIS_URL"].replace("redis://", f"redis://:{password}@")
    os.environ["DEBUG"] = "0"
    os.environ["SECRET_KEY"] = secrets.token_urlsafe(48)
    os.environ["ALLOWED_ORIGINS"] = f"http://127.0.0.1:{os.environ['PORT']}"
    os.environ["PROVIDER_PRIVATE_HOSTS"] = "127.0.0.1:*"
    os.environ["DJANGO_SETTINGS_MODULE"] = "chatsite.settings"
    for name in ("WAITING_IN_ALL", "LONGEST_WAIT_SECONDS", "LONGEST_WAIT_ANSWERS"):
        os.environ[name] = "100000"  # all ask at the same moment
    del os.environ["POLICY_CHECK_SECONDS"], os.environ["LOOK_SECONDS"]


_prepare()

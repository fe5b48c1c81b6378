"""The settings of the suite's own process; FAULTS_DATABASE=postgresql gives it a PostgreSQL server of its own."""

import atexit
import os

from faults.servers import PostgresServer
from tests import environment

if os.environ.get("FAULTS_DATABASE") == "postgresql":
    postgres = PostgresServer(environment.free_port(), os.environ["VAR_DIR"])
    postgres.start()
    atexit.register(postgres.kill)
    os.environ["DATABASE_URL"] = postgres.url

# Hundreds ask at the same moment, of workers that die: how many may wait is not what this suite is about.
os.environ.setdefault("WAITING_IN_ALL", "100000")
os.environ.setdefault("LONGEST_WAIT_SECONDS", "100000")
os.environ.setdefault("LONGEST_WAIT_ANSWERS", "100000")

from chatsite.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

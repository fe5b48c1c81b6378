#!/usr/bin/env python
"""Django's command line for Switchyard. What keeps a command from running is told in a sentence, not a traceback."""

import os
import sys

OURS = ("chatsite", "router", "workers")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    try:
        _execute()
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(OURS):
            raise
        _end(
            error,
            f"This Python has no package {error.name}. Use .venv/bin/python, which make run sets up; in containers, "
            "those of workers have all of them: docker compose exec worker-background python manage.py …",
        )


def _execute() -> None:
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, ProgrammingError
    from environs.exceptions import EnvError

    try:
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, EnvError) as error:
        _end(error, str(error))
    except (OperationalError, ProgrammingError) as error:
        _end(error, f"The database cannot be used: {error}\nA new one takes manage.py migrate, then load_defaults.")


def _end(error: Exception, sentence: str) -> None:
    """As Django ends commands that fail by themselves: --traceback asks for all there is to know."""
    if "--traceback" in sys.argv:
        raise error
    sys.exit(sentence)


if __name__ == "__main__":
    main()

#!/usr/bin/env python
"""Django's command line for Switchyard."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
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
    """End with a sentence instead of a traceback, unless that was asked for, as Django does with its own errors."""
    if "--traceback" in sys.argv:
        raise error
    sys.exit(sentence)


if __name__ == "__main__":
    main()

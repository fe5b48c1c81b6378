"""Gets the database ready, in a process of its own: progress on standard error, the sign-in link on standard output.

One process for the three steps, because each would spend most of its time importing Django.
"""

import os
import sys

import django
from django.core.management import call_command
from django.db import DatabaseError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    django.setup()
    try:
        call_command("migrate", verbosity=0, interactive=False)
    except DatabaseError as error:
        sys.exit(f"The database cannot be used: {error}".strip())
    call_command("load_defaults", stdout=sys.stderr)
    call_command("sign_in_link")


if __name__ == "__main__":
    main()

"""`python -m chatsite.launch [PROCFILE]`."""

import argparse
import os
import signal
import sys
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from environs.exceptions import EnvError

from chatsite.launch.launcher import launch
from chatsite.launch.messages import LaunchError


def main() -> None:
    # Until the launcher handles it, Ctrl-C ends this process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    parser = argparse.ArgumentParser("chatsite.launch", description="Start Switchyard on this machine.")
    parser.add_argument("procfile", nargs="?", type=Path, help="the processes to start (default: the product's)")
    procfile = parser.parse_args().procfile
    try:
        _load_settings()
        launch(
            folder=settings.BASE_DIR,
            procfile=procfile or settings.BASE_DIR / "Procfile",
            var_dir=settings.VAR_DIR,
            port=settings.PORT,
            address=settings.ALLOWED_ORIGINS[0],
        )
    except LaunchError as error:
        sys.exit(str(error))


def _load_settings() -> None:
    try:
        settings.INSTALLED_APPS  # noqa: B018  (the first setting asked for loads them all)
    except (ImproperlyConfigured, EnvError) as error:
        raise LaunchError(str(error)) from error
    except OSError as error:
        raise LaunchError(
            f"The folder for Switchyard's data cannot be written: {error}. Make room or make it writable, or choose "
            "another folder: VAR_DIR=/path make run"
        ) from error


if __name__ == "__main__":
    main()

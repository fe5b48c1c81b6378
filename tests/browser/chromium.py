"""The distribution's Chromium, driven by Playwright."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


class NoChromiumError(RuntimeError):
    """No Chromium on this machine; the text says what to do."""


def launch_chromium(playwright: Playwright) -> Browser:
    """Start the Chromium that CHROMIUM names or that is on PATH. Raises `NoChromiumError`."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise NoChromiumError("Install Chromium (apt-get install chromium), or set CHROMIUM to its path.")
    return playwright.chromium.launch(executable_path=path, args=OPTIONS)

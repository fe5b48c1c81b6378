"""A worker starts fast: it loads what it runs, and nothing of what only the site shows."""

import json
import subprocess
import sys

from chatsite.celery import app
from tests.processes import ROOT, environment

# What only pages need, and takes a third of a second of a processor to load.
PAGES = ["chatsite.urls", "chatsite.chat.tabs", "chatsite.chat.rendering", "unfold.admin", "markdown_it"]
PROGRAM = f"""
import json, sys
from chatsite.celery import app
app.loader.init_worker()
print(json.dumps([sorted(app.tasks), [name for name in {PAGES!r} if name in sys.modules]]))
"""


def test_a_worker_knows_every_task_and_loads_no_page() -> None:
    command = [sys.executable, "-c", PROGRAM]
    told = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, check=True, text=True).stdout
    tasks, pages = json.loads(told)
    __import__("chatsite.urls")  # which loads all of the site, the admin too
    app.loader.import_default_modules()
    assert tasks == sorted(app.tasks)
    assert pages == []

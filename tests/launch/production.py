"""The environment of a production site, and programs that run in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT

SECRET = "x1y2z3" * 10
GOOD = {
    "DEBUG": "0",
    "SECRET_KEY": SECRET,
    "ALLOWED_ORIGINS": "https://chat.example.org, https://chat.example.com:8443",
    "REDIS_URL": "redis://:secret@redis:6379/0",
    "DATABASE_URL": "postgresql://me:p%40ss@db/chat",
    "BEHIND_PROXY": "1",
    "EMAIL_URL": "smtps://me:secret@mail/",
}


def given(folder: Path, **environ: str) -> dict[str, str]:
    """An environment of these settings and no others."""
    return {"PATH": os.environ["PATH"], "VAR_DIR": str(folder), **environ}


def python(*arguments: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Python in an environment of these settings and no others."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=given(folder, **environ),
        capture_output=True,
        text=True,
        check=False,
    )

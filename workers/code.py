"""Which code this process runs: told from the files themselves, so that no build has to set a number."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("chatsite", "router", "workers")


@dataclass(frozen=True)
class Code:
    """A version of the code. `changed_at` (seconds since 1970, of the newest file) tells an older one from a newer."""

    digest: str
    changed_at: float


@cache
def own_code() -> Code:
    """The code as it was when a process first asked for it, which is when it starts."""
    files = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    content = hashlib.sha256()
    for path in files:
        content.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return Code(content.hexdigest()[:10], max(path.stat().st_mtime for path in files))

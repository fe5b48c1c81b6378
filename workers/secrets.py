"""Secrets: encrypted at rest with keys that live outside the database, and masked wherever text is shown."""

import base64
import hashlib
import re

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from workers.errors import UnreadableSecretError

MASK = "[secret]"
SHORTEST = 8  # what is shorter would be masked in every other word
_PATTERN = re.compile(
    # what providers' keys look like; links that let somebody in, or let them read; headers and fields that hold a
    # secret; an address's password
    r"""\b(?:sk|key|hf|gsk|pk)[-_][\w*.-]{6,}
      | (?:(?<=/sign-in/)|(?<=/join/))(?!<)[^/\s"']+ | (?<=/password/)(?!<)[\w-]+/[\w-]+ | (?<=/s/)[\w-]{32}
      | (?<=\bbearer\s)[^\s"'\\,;]+
      | (?P<name>\b(?:authorization|api[-_]?key|password|passwd|secret|access[-_]token)["']?\s*[:=]\s*["']?)
        (?:(?:bearer|basic)\s+)?[^\s"'\\,;&]+
      | (?P<user>://[^/\s:@"']*:)[^@\s/"']+(?=@)""",
    re.IGNORECASE | re.VERBOSE,
)
_opened: set[str] = set()  # keys of providers that this process has decrypted


def encrypt(value: str) -> str:
    """`value`, encrypted with the first of ENCRYPTION_KEYS (Fernet: AES-128-CBC with HMAC-SHA256)."""
    return _cipher().encrypt(value.encode()).decode()


def decrypt(token: str) -> str:
    """What `encrypt` was given. Raises `UnreadableSecretError` if the key has changed."""
    try:
        value = _cipher().decrypt(token.encode()).decode()
    except InvalidToken:
        raise UnreadableSecretError(
            "The stored key cannot be read with today's ENCRYPTION_KEYS. Enter the key again."
        ) from None
    _opened.add(value)
    return value


def masked(text: str) -> str:
    """`text` without what is, or looks like, a secret: the site's own, providers' keys, tokens, passwords."""
    for secret in (*settings.SECRETS, *tuple(_opened)):
        if len(secret) >= SHORTEST:
            text = text.replace(secret, MASK)
    return _PATTERN.sub(lambda found: f"{found['name'] or found['user'] or ''}{MASK}", text)


def _cipher() -> MultiFernet:
    keys = (hashlib.sha256(key.encode()).digest() for key in settings.ENCRYPTION_KEYS)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])

"""Secrets at rest: encrypted with keys that live outside the database."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from workers.errors import UnreadableSecretError


def encrypt(value: str) -> str:
    """`value`, encrypted with the first of ENCRYPTION_KEYS (Fernet: AES-128-CBC with HMAC-SHA256)."""
    return _cipher().encrypt(value.encode()).decode()


def decrypt(token: str) -> str:
    """What `encrypt` was given. Raises `UnreadableSecretError` if the key has changed."""
    try:
        return _cipher().decrypt(token.encode()).decode()
    except InvalidToken:
        raise UnreadableSecretError(
            "The stored key cannot be read with today's ENCRYPTION_KEYS. Enter the key again."
        ) from None


def _cipher() -> MultiFernet:
    keys = (hashlib.sha256(key.encode()).digest() for key in settings.ENCRYPTION_KEYS)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])

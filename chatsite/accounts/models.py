"""One-time sign-in links, and what people prefer."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models
from django.utils import timezone


class SignInLink(models.Model):
    """A link that signs one person in, once, within a day. Only the hash of its token is stored."""

    LIFETIME = timedelta(days=1)

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sign_in_links")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"link for {self.user}"

    @classmethod
    def issue(cls, user: AbstractBaseUser) -> str:
        """A new token for `user`: 256 random bits, to be put in a URL."""
        token = secrets.token_urlsafe(32)
        cls.objects.create(user=user, token_hash=_hash(token))
        return token

    @classmethod
    def peek(cls, token: str) -> SignInLink | None:
        """The link of `token` without using it up. None if it is unknown, used or too old."""
        return cls._fresh(token).select_related("user").first()

    @classmethod
    def redeem(cls, token: str) -> SignInLink | None:
        """Use up the link of `token`. None if it is unknown, used or too old."""
        if not cls._fresh(token).update(used_at=timezone.now()):
            return None
        return cls.objects.select_related("user").get(token_hash=_hash(token))

    @classmethod
    def _fresh(cls, token: str) -> models.QuerySet[SignInLink]:
        oldest = timezone.now() - cls.LIFETIME
        return cls.objects.filter(token_hash=_hash(token), used_at=None, created_at__gt=oldest)


class Preferences(models.Model):
    """What a person has chosen for themselves, in every browser."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="preferences"
    )
    language = models.CharField(max_length=10, blank=True, help_text="Empty: the browser's.")

    class Meta:
        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"preferences of {self.user}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

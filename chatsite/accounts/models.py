"""Links that let somebody in once, to their account or to a new one; and what people prefer."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.utils import timezone


class OneTimeLink(models.Model):
    """A link that works once, within its lifetime. Only the hash of its token is stored."""

    LIFETIME: ClassVar[timedelta]

    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField("made", default=timezone.now, editable=False)
    used_at = models.DateTimeField("used", null=True, blank=True, editable=False)

    class Meta:
        abstract = True

    @classmethod
    def issue(cls, **fields: Any) -> str:
        """A new token: 256 random bits, to be put in a URL."""
        link = cls(**fields)
        token = link.draw_token()
        link.save()
        return token

    def draw_token(self) -> str:
        """Give a link that is about to be saved its token, which cannot be had again."""
        token = secrets.token_urlsafe(32)
        self.token_hash = _hash(token)
        return token

    @classmethod
    def peek(cls, token: str) -> Self | None:
        """The link of `token` without using it up. None if it is unknown, used or too old."""
        return cls._fresh(token).first()

    @classmethod
    def redeem(cls, token: str) -> Self | None:
        """Use up the link of `token`. None if it is unknown, used or too old."""
        if not cls._fresh(token).update(used_at=timezone.now()):
            return None
        return cls._default_manager.get(token_hash=_hash(token))

    @property
    def is_fresh(self) -> bool:
        return self.used_at is None and self.created_at > timezone.now() - self.LIFETIME

    @classmethod
    def _fresh(cls, token: str) -> models.QuerySet[Self]:
        oldest = timezone.now() - cls.LIFETIME
        return cls._default_manager.filter(token_hash=_hash(token), used_at=None, created_at__gt=oldest)


class SignInLink(OneTimeLink):
    """A link that signs one person in, once, within a day."""

    LIFETIME = timedelta(days=1)

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sign_in_links")

    def __str__(self) -> str:
        return f"link for {self.user}"


class Invitation(OneTimeLink):
    """A link with which one person makes themselves an account, once, within a week."""

    LIFETIME = timedelta(days=7)

    email = models.EmailField(
        "e-mail address",
        blank=True,
        help_text="Of the person you invite. The link is sent there if mail is set up; you are shown it in any case.",
    )
    groups = models.ManyToManyField(
        Group, verbose_name="groups", blank=True, help_text="What the new account belongs to from the beginning."
    )
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name="invited by",
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    accepted_by = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name="accepted by",
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="invitation",
    )

    class Meta:
        verbose_name = "invitation"
        verbose_name_plural = "invitations"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.email or f"{self.created_at:%Y-%m-%d %H:%M}"


class Preferences(models.Model):
    """What a person has chosen for themselves, in every browser."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="preferences"
    )
    language = models.CharField(max_length=10, blank=True, help_text="Empty: the browser's.")
    hides_first_steps = models.BooleanField(default=False, help_text="Of somebody who runs the place.")

    class Meta:
        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"preferences of {self.user}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

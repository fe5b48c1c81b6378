"""Conversations, their messages as a tree, and the turns that answer them."""

from __future__ import annotations

import uuid
from typing import Any

from celery import Task
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext

from router.models import Decision
from workers import queue_names
from workers.jobs import Job
from workers.models import Completion, Model


class Tag(models.Model):
    """A word by which a person finds conversations again. It lasts as long as a conversation has it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=40)

    class Meta:
        ordering = [Lower("name")]
        constraints = [
            models.UniqueConstraint("user", Lower("name"), name="a_tag_once_per_person"),
            models.CheckConstraint(name="a_tag_has_a_name", condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return self.name


class Conversation(models.Model):
    """A thread of messages owned by one person."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations")
    title = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    leaf = models.ForeignKey(
        "Message",
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Where the branch that is shown ends; empty: at the newest message.",
    )
    beside = models.ForeignKey(
        "Message",
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The answer that is shown beside the leaf, to be compared with it.",
    )
    named_at = models.DateTimeField(null=True, help_text="When its owner gave it a title, which nothing replaces.")
    pinned_at = models.DateTimeField(null=True, help_text="Kept by one that is archived until it comes back.")
    archived_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True, help_text="When an answer came that its owner has not looked at yet.")
    deleted_at = models.DateTimeField(null=True, help_text="It does not exist any more, unless that is undone soon.")
    tags = models.ManyToManyField(Tag, related_name="conversations")

    class Meta:
        ordering = ["-updated_at"]
        indexes = [
            # The sidebar: one person's conversations, newest first, a page at a time.
            models.Index(fields=["user", "-updated_at", "-id"]),
            # Those that are to go for good.
            models.Index(fields=["deleted_at"], condition=~Q(deleted_at=None), name="chat_conversation_deleted"),
        ]

    def __str__(self) -> str:
        return self.title or gettext("New conversation")


class Message(models.Model):
    """One entry of a conversation; siblings (the same parent) are alternatives."""

    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
    role = models.CharField(max_length=10, choices=Role.choices)
    text = models.TextField(blank=True, help_text="What a person wrote; an answer's text is its completion's.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="messages", help_text="The writer."
    )
    attachment_count = models.PositiveSmallIntegerField(default=0, help_text="How many files were sent with it.")
    client_id = models.UUIDField(null=True, help_text="Given by the browser, so that sending twice sends once.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(name="a_client_id_once_per_person", fields=["user", "client_id"]),
            models.CheckConstraint(
                name="people_write_text_answers_do_not",
                condition=(Q(role="user") & (~Q(text="") | Q(attachment_count__gt=0)) & ~Q(user=None))
                | Q(role="assistant", user=None, attachment_count=0),
            ),
        ]
        indexes = [models.Index(fields=["conversation", "created_at"])]

    def __str__(self) -> str:
        return f"{self.role}: {self.text[:60]}"


class Turn(Job):
    """What answers a message: first a decision, then a completion. As a job, it is the decision's."""

    reply = models.OneToOneField(Message, primary_key=True, on_delete=models.CASCADE, related_name="turn")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="turns")
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="turns")
    wanted_route = models.CharField(max_length=40, blank=True, help_text="The route that the person chose.")
    wanted_model = models.ForeignKey(
        Model,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The model of that route that the person chose, and no other.",
    )
    read_share = models.FloatField(
        default=1.0, help_text="How much of the message and its files fitted into the prompt; below 1 it was condensed."
    )
    imported: Any = models.JSONField(
        null=True,
        blank=True,
        help_text="Of an answer that was given elsewhere: route and model, as far as its file names them.",
    )
    decision = models.OneToOneField(Decision, null=True, blank=True, on_delete=models.PROTECT)
    completion = models.OneToOneField(Completion, null=True, blank=True, on_delete=models.SET_NULL)

    queue = "route"
    is_part_of_answer = True
    needed = ("message", "conversation__user")

    class Meta(Job.Meta):
        pass

    def __str__(self) -> str:
        return f"turn {self.reply_id} ({self.status})"

    @property
    def task(self) -> Task:
        from chatsite.chat.tasks import decide_turn

        return decide_turn

    @classmethod
    def unanswered(cls) -> models.QuerySet[Turn]:
        """Those whose answer is open, as `answer` says it."""
        return cls.objects.filter(Q(finished_at=None) | Q(completion__isnull=False, completion__finished_at=None))

    @property
    def answer(self) -> Job:
        """The job whose state is the answer's: the completion once there is one, the decision until then."""
        return self.completion or self


class Rating(models.Model):
    """What a person thinks of an answer: a figure for admins, of which the router learns nothing."""

    class Value(models.TextChoices):
        UP = "up", "good"
        DOWN = "down", "bad"

    turn = models.ForeignKey(Turn, on_delete=models.CASCADE, related_name="ratings")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="ratings")
    value = models.CharField("rating", max_length=4, choices=Value.choices)
    reason = models.CharField(max_length=300, blank=True)
    rated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-rated_at"]
        constraints = [
            models.UniqueConstraint(name="one_rating_a_reply_and_person", fields=["turn", "user"]),
            models.CheckConstraint(name="a_rating_is_up_or_down", condition=Q(value__in=["up", "down"])),
        ]

    def __str__(self) -> str:
        return f"rating {self.pk}"  # not the reason, which logs would keep


class Titling(Job):
    """Finding a title for a conversation, once, when its first answer is there."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.OneToOneField(Conversation, on_delete=models.CASCADE, related_name="titling")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="+")

    queue = queue_names.EMBEDDED
    needed = ("message", "conversation__user")

    class Meta(Job.Meta):
        pass

    def __str__(self) -> str:
        return f"titling of {self.conversation_id} ({self.status})"

    @property
    def reply_id(self) -> uuid.UUID:  # type: ignore[override]
        """A title is no reply; its own id names its lease."""
        return self.id

    @property
    def task(self) -> Task:
        from chatsite.chat.tasks import title_conversation

        return title_conversation

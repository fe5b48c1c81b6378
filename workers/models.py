"""The catalogue (providers and their models) and the runs of a model (completions)."""

from __future__ import annotations

import logging
import uuid
from decimal import Decimal
from typing import Any

import redis
from celery import Task
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.dispatch import Signal

from workers import addresses, queue_names, secrets, stream
from workers.jobs import Job
from workers.stream import Written

logger = logging.getLogger(__name__)

HIGHEST_COST = Decimal("999999.999999")


class Role(models.TextChoices):
    """What a route asks of a model, and what a backend can do."""

    SUMMARISE = "summarise", "Summarise"
    CLASSIFY = "classify", "Classify"
    GENERATE = "generate", "Generate"


class Provider(models.Model):
    """A place where models run: this machine, or a server that speaks the OpenAI protocol."""

    class Kind(models.TextChoices):
        EMBEDDED = "embedded", "Built in (MiniLM, always available)"
        TRANSFORMERS = "transformers", "Transformers (a model run by our own workers)"
        OPENAI = "openai", "OpenAI-compatible server"

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.OPENAI)
    base_url = models.CharField(
        "base URL",
        max_length=500,
        blank=True,
        help_text="For OpenAI-compatible servers, with its /v1, for instance http://127.0.0.1:8080/v1.",
    )
    encrypted_key = models.TextField(blank=True, editable=False)
    is_enabled = models.BooleanField("enabled", default=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(name="openai_provider_has_base_url", condition=~Q(kind="openai") | ~Q(base_url=""))
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def api_key(self) -> str:
        """The key in clear, or an empty string. Raises `errors.UnreadableSecretError`."""
        return secrets.decrypt(self.encrypted_key) if self.encrypted_key else ""

    @api_key.setter
    def api_key(self, value: str) -> None:
        self.encrypted_key = secrets.encrypt(value) if value else ""

    def clean(self) -> None:
        if self.kind == self.Kind.OPENAI:
            try:
                addresses.check_url(self.base_url)
            except addresses.ForbiddenAddressError as error:
                raise ValidationError({"base_url": str(error)}) from error
        elif self.base_url:
            raise ValidationError({"base_url": "Only an OpenAI-compatible server has an address. Leave this empty."})


class Model(models.Model):
    """A model of the catalogue, which routes can name."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="models")
    name = models.CharField(max_length=120, unique=True, help_text="What people see under an answer.")
    identifier = models.CharField(
        max_length=300,
        help_text="The name the provider knows it by: a model name, a Hugging Face repository or a local folder.",
    )
    revision = models.CharField(
        max_length=80, blank=True, help_text="Hugging Face: pin a commit, so that the model never changes by itself."
    )
    context_window = models.PositiveIntegerField(default=4096, validators=[MinValueValidator(128)], help_text="Tokens.")
    max_output_tokens = models.PositiveIntegerField(default=1024, validators=[MinValueValidator(1)])
    licence = models.CharField(max_length=80, blank=True)
    prompt_price = models.DecimalField(
        max_digits=10, decimal_places=4, default=Decimal(0), help_text="Per million prompt tokens."
    )
    completion_price = models.DecimalField(
        max_digits=10, decimal_places=4, default=Decimal(0), help_text="Per million completion tokens."
    )
    options = models.JSONField(
        default=dict, blank=True, help_text='Sampling and the like, for instance {"temperature": 0.7}.'
    )
    worker_group = models.CharField(
        max_length=40,
        blank=True,
        validators=[
            RegexValidator(
                r"\A[a-z0-9][a-z0-9-]*\Z", "The name of a group is made of small letters, digits and dashes."
            )
        ],
        help_text="Models of a group wait in a queue of their own, for workers of their own. Empty: the default group, "
        "whose workers are always there.",
    )
    is_warm = models.BooleanField(
        "keep ready",
        default=False,
        help_text="A worker loads it before it begins, and keeps it in memory also when nobody uses it. For models of "
        "transformers.",
    )
    groups = models.ManyToManyField(
        Group, blank=True, related_name="models", help_text="Who may use this model. None chosen: everybody."
    )
    is_enabled = models.BooleanField("enabled", default=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                name="one_model_per_identifier_and_revision", fields=["provider", "identifier", "revision"]
            ),
            # The default group has one name, the empty one: otherwise it would have two queues.
            models.CheckConstraint(
                name="the_default_worker_group_is_empty", condition=~Q(worker_group=queue_names.DEFAULT_GROUP)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def can_answer(self) -> bool:
        """Whether it is switched on, and its provider too."""
        return self.is_enabled and self.provider.is_enabled

    @property
    def queue(self) -> str:
        """The queue of its kind of work and of its worker group (`workers.queue_names`)."""
        return queue_names.queue_of(_KIND_OF_WORK[self.provider.kind], self.worker_group)

    def cost_of(self, prompt_tokens: int, completion_tokens: int) -> Decimal:
        """What so many tokens cost; no more than a row can hold, whatever a provider has counted."""
        cost = (prompt_tokens * self.prompt_price + completion_tokens * self.completion_price) / 1_000_000
        return min(cost, HIGHEST_COST)

    @property
    def roles(self) -> frozenset[str]:
        """The roles that this model can play."""
        if self.provider.kind == Provider.Kind.EMBEDDED:
            return frozenset({EMBEDDED_MODELS[self.identifier]}) if self.identifier in EMBEDDED_MODELS else frozenset()
        return frozenset(Role.values)

    def clean(self) -> None:
        is_built_in = bool(self.provider_id) and self.provider.kind == Provider.Kind.EMBEDDED
        if is_built_in and not self.roles:
            names = ", ".join(sorted(EMBEDDED_MODELS))
            raise ValidationError({"identifier": f"The built-in provider has these models: {names}."})
        if self.is_warm and self.provider_id and self.provider.kind != Provider.Kind.TRANSFORMERS:
            raise ValidationError(
                {"is_warm": "Only models of transformers are loaded by workers. Built-in ones are always ready."}
            )
        if self.worker_group == queue_names.DEFAULT_GROUP:
            self.worker_group = ""
        if is_built_in and self.worker_group:
            raise ValidationError({"worker_group": "The built-in models have a queue of their own. Leave this empty."})
        if not isinstance(self.options, dict):
            raise ValidationError({"options": 'Options are a JSON object, for instance {"temperature": 0.7}.'})
        if self.max_output_tokens and self.context_window and self.max_output_tokens >= self.context_window:
            window = f"The context window ({self.context_window} tokens)"
            text = f"{window} holds the prompt and the answer, so an answer must be shorter."
            raise ValidationError({"max_output_tokens": text})


_KIND_OF_WORK: dict[str, str] = {
    Provider.Kind.EMBEDDED: queue_names.EMBEDDED,
    Provider.Kind.TRANSFORMERS: queue_names.LOCAL,
    Provider.Kind.OPENAI: queue_names.REMOTE,
}

# What the embedded provider offers, by identifier, and the one role of each.
EMBEDDED_MODELS: dict[str, str] = {
    "minilm-extractive": Role.SUMMARISE,
    "minilm-zero-shot": Role.CLASSIFY,
}


# Sent in the worker when an answer is there and its readers are told. What a receiver raises is logged.
answered = Signal()


class Completion(Job):
    """One run of a model on a prompt, made to be watched: its text arrives on the stream of `reply_id`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reply_id = models.UUIDField(db_index=True, help_text="The reply that this run writes; opaque to workers.")
    role = models.CharField(max_length=10, choices=Role.choices)
    model = models.ForeignKey(Model, null=True, on_delete=models.SET_NULL, related_name="asked_completions")
    fallbacks = models.JSONField(default=list, help_text="Ids of the models to try next, in order.")
    passed_to = models.ForeignKey(
        Model,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The one of them that is tried next, if those before it did not answer and it has another queue.",
    )
    answered_by = models.ForeignKey(
        Model, null=True, blank=True, on_delete=models.SET_NULL, related_name="answered_completions"
    )
    prompt = models.JSONField(help_text="The full list of messages sent: [{role, content}].")
    options = models.JSONField(default=dict, help_text="What the role needs: labels, wished length, sampling.")
    text = models.TextField(blank=True)
    result = models.JSONField(null=True, blank=True, help_text="The answer as data, where it has any: label scores.")
    was_cut_short = models.BooleanField(
        db_default=False, help_text="The model reached its output limit before it came to an end."
    )
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    cost = models.DecimalField(max_digits=12, decimal_places=6, default=Decimal(0))  # up to `HIGHEST_COST`
    first_token_at = models.DateTimeField(null=True, blank=True)

    is_part_of_answer = True
    needed = ("model__provider",)

    class Meta(Job.Meta):
        pass

    def __str__(self) -> str:
        return f"{self.role} {self.id} ({self.status})"

    @classmethod
    def with_queues(cls, jobs: models.QuerySet[Completion]) -> models.QuerySet[Completion]:
        return jobs.select_related("model__provider", "passed_to__provider").defer(
            "prompt", "options", "text", "result"
        )

    @property
    def queue(self) -> str:
        model = self.passed_to or self.model
        return model.queue if model else queue_names.REMOTE

    def pass_on(self, model: Model) -> bool:
        """Give up this attempt and queue the next one for another model of the route, in the queue of that.

        False means that somebody else did already. It is to be published.
        """
        if not self.note(passed_to=model):
            return False
        self.passed_to = model
        return self.retry()

    @property
    def task(self) -> Task:
        from workers.tasks import complete

        return complete

    @property
    def text_left(self) -> str:
        return self.text

    def _end(self, still: models.QuerySet[Any], status: str, **fields: Any) -> bool:
        """Where nobody runs it who could say what it is left with, it is the most that was written of it."""
        if status in (self.Status.CANCELLED, self.Status.QUARANTINED) and "text" not in fields:
            was_running = status == self.Status.QUARANTINED  # what only waited has written nothing in this attempt
            fields["text"] = self.written_in(self.attempt if was_running else self.attempt - 1).text
        return super()._end(still, status, **fields)

    def written_in(self, attempts: int) -> Written:
        """The most that one of so many first attempts has written; nothing if Redis does not say."""
        try:
            return stream.written(self.reply_id, attempts) if attempts else Written()
        except redis.RedisError as error:
            logger.warning("What was written of %s in %d attempts is lost: %s", self.pk, attempts, error)
            return Written()

    def usage(self) -> dict[str, Any]:
        """Tokens and cost as a JSON-ready mapping."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": str(self.cost),
        }

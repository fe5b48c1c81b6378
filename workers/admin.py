"""Providers, models and failed completions in the admin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import redis
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.debug import SafeExceptionReporterFilter
from django.views.decorators.debug import sensitive_post_parameters
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.views import ChangeList

from workers import failures, health
from workers.forms import GroupBoxes, ModelForm, ProviderForm
from workers.jobs import Job
from workers.lookups import ListedFiltersOnly
from workers.models import Completion, Model, Provider, Role
from workers.presence import is_served
from workers.queue_names import start_hint
from workers.trial_pages import TestableAdmin


class SecretsHidden(SafeExceptionReporterFilter):
    """Keeps a posted key out of error pages also where DEBUG is on."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True


def _change_page(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def _point_to_routes(request: HttpRequest, models: Iterable[Model]) -> None:
    """A model does nothing until a route names it, which is done elsewhere."""
    unused = [str(model) for model in models if model.is_enabled and not model.route_models.exists()]
    if unused:
        link = format_html('<a href="{}" class="underline">routes</a>', reverse("admin:router_route_changelist"))
        names = " and ".join(unused)
        messages.info(request, format_html("No route uses {} yet. Add it to one of the {}.", names, link))


def _unserved(model: Model) -> str:
    """What to do if nobody runs a model at the moment."""
    try:
        if is_served(model.queue):
            return ""
    except redis.RedisError:
        return "Redis cannot be reached, so nobody knows which workers there are."
    return f"No worker serves the queue “{model.queue}”. {start_hint(model.queue)}"


def _failures_by_provider() -> dict[str, str]:
    """What went wrong within the hour, also where another try or another model healed it, in words."""
    try:
        found = failures.last_hour()
    except redis.RedisError:
        return {}
    words: dict[str, str] = {}
    for failure in found:
        before = f"{words[failure.provider]}, " if failure.provider in words else ""
        words[failure.provider] = f"{before}{failure.code} ({failure.count})"
    return words


class ModelList(ChangeList):
    """Models, each with its health."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        found = health.by_model()
        for model in self.result_list:
            model.health = found.get(model.pk, health.Health())


class ProviderList(ChangeList):
    """Providers, each with what its models did lately."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        found, failed = health.by_model(), _failures_by_provider()
        for provider in self.result_list:
            models = [found[model.pk] for model in provider.models.all() if model.pk in found]
            provider.answer_count = sum(each.answers for each in models)
            provider.failures = failed.get(provider.name, "")


class ModelInline(TabularInline):
    model = Model
    fields = ("name", "identifier", "context_window", "max_output_tokens", "is_enabled", "more")
    readonly_fields = ("more",)
    hide_title = True
    verbose_name_plural = "Models of this provider"

    @display(description="More")
    def more(self, model: Model) -> SafeString | str:
        if not model.pk:
            return ""
        return format_html('<a href="{}" class="text-link">Options</a>', _change_page(model))

    def get_extra(self, request: HttpRequest, obj: Provider | None = None, **kwargs: Any) -> int:
        return 0 if obj else 1


@admin.register(Provider)
class ProviderAdmin(ListedFiltersOnly, TestableAdmin):
    form = ProviderForm
    inlines = (ModelInline,)
    list_display = ("name", "kind", "address", "model_count", "answers", "failures_in_words", "is_enabled")
    list_filter = ("kind", "is_enabled")
    search_fields = ("name", "base_url")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        return super().get_queryset(request).annotate(model_count=Count("models")).prefetch_related("models")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ProviderList

    @display(description="Answers, 24 h")
    def answers(self, provider: Any) -> int:
        return int(provider.answer_count)

    @display(description="Failures, 1 h", empty_value="none")
    def failures_in_words(self, provider: Any) -> str | None:
        return provider.failures or None

    @display(description="Address", empty_value="this machine")
    def address(self, provider: Provider) -> str | None:
        return provider.base_url or None

    @display(description="Models", ordering="model_count")
    def model_count(self, provider: Any) -> int:
        return int(provider.model_count)

    @display(description="Key")
    def key_state(self, provider: Provider) -> str:
        return "A key is stored." if provider.encrypted_key else "None."

    def get_fieldsets(self, request: HttpRequest, obj: Provider | None = None) -> list[Any]:
        named = ["name", "kind"]
        if obj and obj.kind != Provider.Kind.OPENAI:
            return [(None, {"fields": [*named, "is_enabled"]})]
        if obj and not self.has_change_permission(request, obj):
            key = ["key_state"]
        else:
            key = ["key", "forget_key"] if obj and obj.encrypted_key else ["key"]
        return [(None, {"fields": [*named, "base_url", *key, "is_enabled"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Provider | None = None) -> tuple[str, ...]:
        return ("kind", "key_state") if obj else ()

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "kind":  # there is one built-in provider, and it is there from the beginning
            kwargs["choices"] = [kind for kind in Provider.Kind.choices if kind[0] != Provider.Kind.EMBEDDED]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Provider | None = None) -> bool:
        is_built_in = obj is not None and obj.kind == Provider.Kind.EMBEDDED
        return super().has_delete_permission(request, obj) and not is_built_in

    @method_decorator(sensitive_post_parameters("key"))
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        request.exception_reporter_filter = SecretsHidden()
        return super().changeform_view(request, *args, **kwargs)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        _point_to_routes(request, form.instance.models.all())

    def test_subject(self, obj: Provider) -> tuple[Provider, Model | None] | None:
        model = obj.models.filter(is_enabled=True).first()
        return (obj, model) if model or obj.kind == Provider.Kind.OPENAI else None


@admin.register(Model)
class CatalogueAdmin(GroupBoxes, TestableAdmin):
    form = ModelForm
    list_display = (
        *("name", "provider", "roles_in_words", "queue_name", "routes"),
        *("health", "answers", "first_token", "last_error", "is_enabled"),
    )
    list_filter = ("provider", "is_enabled")
    list_select_related = ("provider",)
    search_fields = ("name", "identifier")
    readonly_fields = ("roles_in_words", "queue_name", "workers", "routes")
    fieldsets = (
        (None, {"fields": ("provider", "name", "identifier", "revision", "is_enabled")}),
        ("Who may use it", {"fields": ("groups",)}),
        ("Limits", {"fields": ("context_window", "max_output_tokens", "options")}),
        ("Who runs it", {"fields": ("worker_group", "is_warm")}),
        ("Licence and prices", {"fields": ("licence", ("prompt_price", "completion_price"))}),
        ("Where it is used", {"fields": (("roles_in_words", "queue_name"), "workers", "routes")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return self.fieldsets if obj else self.fieldsets[:-1]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        return super().get_queryset(request).prefetch_related("route_models__route")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ModelList

    @display(description="Health, 24 h", label={"well": "success", "shaky": "warning", "failing": "danger"})
    def health(self, model: Any) -> str:
        return str(model.health.in_a_word)

    @display(description="Answers")
    def answers(self, model: Any) -> int:
        return int(model.health.answers)

    @display(description="First token", empty_value="-")
    def first_token(self, model: Any) -> str | None:
        took = model.health.first_token
        return f"{took.total_seconds():.2f} s" if took else None

    @display(description="Last error", empty_value="none")
    def last_error(self, model: Any) -> str | None:
        return model.health.last_error or None

    @display(description="Can")
    def roles_in_words(self, model: Model) -> str:
        return ", ".join(label.lower() for value, label in Role.choices if value in model.roles)

    @display(description="Queue")
    def queue_name(self, model: Model) -> str:
        return model.queue

    @display(description="Workers")
    def workers(self, model: Model) -> str:
        return _unserved(model) or f"A worker serves the queue “{model.queue}”."

    @display(description="Routes", empty_value="none")
    def routes(self, model: Model) -> SafeString | None:
        routes = [route_model.route for route_model in model.route_models.all()]
        links = ((_change_page(route), route.title) for route in routes)
        return format_html_join(", ", '<a href="{}" class="text-link">{}</a>', links) or None

    def test_subject(self, obj: Model) -> tuple[Provider, Model | None]:
        return obj.provider, obj

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        _point_to_routes(request, [form.instance])
        if form.instance.is_enabled and (warning := _unserved(form.instance)):
            messages.warning(request, warning)


@admin.register(Completion)
class CompletionAdmin(ListedFiltersOnly, ModelAdmin):
    """What went wrong, without what was said."""

    list_display = ("finished_at", "state", "role", "model", "error_code", "attempt")
    list_filter = ("status", "role", "model")
    list_select_related = ("model",)
    search_fields = ("reply_id",)
    search_help_text = "The id of a reply, as the logs have it."
    fields = ("reply_id", "state", "role", "model", "error_code", "error_detail", "attempt", "queued_at", "finished_at")
    ordering = ("-finished_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Completion]:
        ended_badly = super().get_queryset(request).filter(status__in=[Job.Status.FAILED, Job.Status.QUARANTINED])
        return ended_badly.defer("prompt", "options", "text", "result")

    @display(description="Status", label={"failed": "warning", "quarantined": "danger"}, ordering="status")
    def state(self, completion: Completion) -> str:
        return completion.status

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Completion | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Completion | None = None) -> bool:
        return False

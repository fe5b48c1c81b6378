"""Routes with all that belongs to them, in the admin: together they are the draft."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from router import drafts
from router.advice import advice
from router.forms import ExamplesOnce, ModelsInOrder, RouteForm, RowsOfARoute
from router.models import Correction, Decision, Example, Route, RouteModel, Rule
from workers.forms import GroupBoxes
from workers.models import Role

LATELY = timedelta(days=7)
THERE_ALREADY = (
    "Somebody else has added the same in the meantime: the route, or an example, a rule or a model of it. Nothing was "
    "saved, and what you typed is still here. Open the routes in another tab, and take out here what is there already."
)


def _count(rows: QuerySet[Any]) -> Coalesce:
    """How many rows a subquery has, in one column."""
    counted = rows.order_by().annotate(one=Value(1)).values("one").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counted), 0)


class RoutePart(TabularInline):
    """Whoever may change a route may change what belongs to it."""

    formset = RowsOfARoute
    extra = 0
    hide_title = True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("router.view_route") or request.user.has_perm("router.change_route")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("router.change_route" if obj else "router.add_route")

    has_add_permission = has_delete_permission = has_change_permission


class RouteModelInline(RoutePart):
    model = RouteModel
    formset = ModelsInOrder
    fields = ("model", "position")
    ordering_field = "position"
    verbose_name = "model"
    verbose_name_plural = "Models, in the order in which they are tried"


class RuleInline(RoutePart):
    model = Rule
    fields = ("kind", "value", "position")
    per_page = 50
    verbose_name_plural = "Rules: what matches goes here, whatever the classifier says"


class ExampleInline(RoutePart):
    model = Example
    formset = ExamplesOnce
    fields = ("text",)
    per_page = 50
    verbose_name_plural = "Example messages"

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "text":
            field.widget.attrs["rows"] = 1
        return field


@admin.register(Route)
class RouteAdmin(GroupBoxes, ModelAdmin):
    """Saving a route changes the draft; `chatsite.routing` publishes it. Two admins never overwrite each other."""

    form = RouteForm
    inlines = (RouteModelInline, RuleInline, ExampleInline)
    list_display = (
        *("title", "command", "role", "default", "is_enabled", "models", "rules", "examples"),
        *("decided", "wrong"),
    )
    list_filter = ("role", "is_enabled")
    search_fields = ("name", "title", "description")
    fieldsets = (
        (None, {"fields": ("title", "name", "description", "role", "is_enabled", "becomes_default", "position")}),
        ("Who may use it", {"fields": ("groups",)}),
        ("How it is recognised", {"fields": ("threshold", "new_examples")}),
        ("How it answers", {"fields": ("labels", "prompt_template", "options")}),
        (None, {"fields": ("opened_version", "overwrite")}),
    )
    conditional_fields = {"labels": f"role == '{Role.CLASSIFY}'"}

    # --- The list -----------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Route]:
        routes = super().get_queryset(request).prefetch_related("route_models__model")
        lately = timezone.now() - LATELY
        decided = Decision.objects.filter(route=OuterRef("name"), decided_at__gt=lately, shadow_of=None)
        wrong = Correction.objects.filter(decision__route=OuterRef("name"), filed_at__gt=lately)
        return routes.annotate(
            rule_count=Count("rules", distinct=True),
            example_count=Count("examples", distinct=True),
            decided_count=_count(decided),
            wrong_count=_count(wrong),
        )

    @display(description="Command")
    def command(self, route: Route) -> str:
        return f"/{route.name}"

    @display(description="Default", label="success", empty_value="")
    def default(self, route: Route) -> str | None:
        return "default" if route.is_default else None

    @display(description="Models", empty_value="none")
    def models(self, route: Route) -> str | None:
        return ", ".join(str(link.model) for link in route.route_models.all()) or None

    @display(description="Rules")
    def rules(self, route: Any) -> int:
        return int(route.rule_count)

    @display(description="Examples")
    def examples(self, route: Any) -> int:
        return int(route.example_count)

    @display(description="Messages, 7 days", ordering="decided_count")
    def decided(self, route: Any) -> int:
        return int(route.decided_count)

    @display(description="Said to be wrong", ordering="wrong_count")
    def wrong(self, route: Any) -> int:
        return int(route.wrong_count)

    # --- Saving changes the draft ---------------------------------------------------------------------------------

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        try:
            with transaction.atomic():
                return super().changeform_view(request, object_id, form_url, extra_context)
        except ValidationError as refusal:  # undone; show the form again as it was sent, with the reason
            request.refusal = refusal  # type: ignore[attr-defined]
        except IntegrityError:
            request.refusal = ValidationError(THERE_ALREADY)  # type: ignore[attr-defined]
        return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.refusal = getattr(request, "refusal", None)
        return form

    def save_model(self, request: HttpRequest, obj: Route, form: RouteForm, change: bool) -> None:
        drafts.lock()
        if change and not Route.objects.filter(pk=obj.pk, version=form.version).update(version=form.version + 1):
            raise ValidationError("Somebody else saved this route at the same moment. Nothing was overwritten.")
        obj.version = form.version + 1
        obj.changed_by_id = request.user.pk
        if form.cleaned_data["becomes_default"] and not obj.is_default:
            Route.objects.filter(is_default=True).update(is_default=False)
            obj.is_default = True
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        route: Route = form.instance
        for text in form.cleaned_data["new_examples"]:
            route.examples.get_or_create(text=text)
        if self.construct_change_message(request, form, formsets, not change):
            self._say_what_is_next(request)
            for text in [*advice(route), *self._warnings(route)]:
                messages.warning(request, text)

    def delete_model(self, request: HttpRequest, obj: Route) -> None:
        self._delete(request, [obj], lambda: super(RouteAdmin, self).delete_model(request, obj))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Route]) -> None:
        self._delete(request, list(queryset), lambda: super(RouteAdmin, self).delete_queryset(request, queryset))

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        return self._or_back_to_the_list(
            request, lambda: super(RouteAdmin, self).delete_view(request, object_id, extra_context)
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return self._or_back_to_the_list(
            request, lambda: super(RouteAdmin, self).changelist_view(request, extra_context)
        )

    def _delete(self, request: HttpRequest, routes: list[Route], delete: Callable[[], None]) -> None:
        for route in routes:
            if route.is_default:
                raise ValidationError(f"{route} is the default route. Make another route the default first.")
        drafts.lock()
        delete()
        self._say_what_is_next(request)

    def _say_what_is_next(self, request: HttpRequest) -> None:
        text = 'This changed the draft. What is live stays as it is until you <a href="{}">publish the draft</a>.'
        messages.info(request, format_html(text, reverse("admin:router_revision_draft")))

    def _warnings(self, route: Route) -> list[str]:
        """What the draft's warnings say of this route."""
        return [text for text in drafts.warnings(drafts.snapshot()) if route.title in text]

    def _or_back_to_the_list(self, request: HttpRequest, view: Callable[[], Any]) -> Any:
        """What `view` gives; if what it did is refused, nothing of it stays but the reason."""
        try:
            with transaction.atomic():
                return view()
        except ValidationError as refusal:
            for reason in refusal.messages:
                messages.error(request, reason)
            return redirect("admin:router_route_changelist")

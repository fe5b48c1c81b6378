"""People, groups, and the record of what was changed by whom, in the admin."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin as PlainGroupAdmin
from django.contrib.auth.admin import UserAdmin as PlainUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.contrib.auth.views import redirect_to_login
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin, StackedInline
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from chatsite.accounts import invitations, leaving  # noqa: F401  (registers its page)
from chatsite.accounts.models import SignInLink
from router.models import Route
from workers.limits import GroupLimits, limits_of_the_site
from workers.models import Model

admin.site.unregister([User, Group])


def sign_in(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """The site has one page for signing in; whoever is signed in and still comes here is not allowed in."""
    if request.user.is_authenticated:
        raise PermissionDenied
    return redirect_to_login(request.GET.get("next", request.path.removesuffix("login/")))


admin.site.login = sign_in  # type: ignore[method-assign]


@admin.register(User)
class UserAdmin(PlainUserAdmin, ModelAdmin):
    """People who may edit people cannot make themselves more than they are."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_staff", "conversation_count", "last_wrote", "last_login")
    list_filter = ("is_active", "is_staff", "groups")
    filter_horizontal = ()
    actions = ("make_sign_in_links",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        if request.user.is_superuser:
            return ("last_login", "date_joined")
        return ("is_staff", "is_superuser", "groups", "last_login", "date_joined")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        people = super().get_queryset(request).annotate(last_wrote=Max("conversations__updated_at"))
        return people.annotate(conversation_count=Count("conversations", filter=Q(conversations__deleted_at=None)))

    @display(description="Conversations", ordering="conversation_count")
    def conversation_count(self, user: Any) -> int:
        return int(user.conversation_count)

    @display(description="Last wrote", ordering="last_wrote", empty_value="never")
    def last_wrote(self, user: Any) -> Any:
        return user.last_wrote

    @action(description="Make a sign-in link", permissions=["change"])
    def make_sign_in_links(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """For somebody who has lost the way in; it works once, within a day, and is shown once."""
        for user in queryset:
            if not user.is_active or not self.has_change_permission(request, user):
                messages.warning(request, f"{user} may not be signed in by you.")
                continue
            link = settings.ALLOWED_ORIGINS[0] + reverse("sign-in-by-link", args=[SignInLink.issue(user=user)])
            self.log_change(request, user, "Made a sign-in link.")
            messages.info(request, format_html("For {}, once, within a day: {}", user.get_username(), link))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes with a person is theirs: it takes the right to delete people, and no other."""
        owned = Count("conversations")
        people = User.objects.filter(pk__in=[user.pk for user in objs]).annotate(conversation_count=owned)
        named = [f"{user}, with {user.conversation_count} conversations" for user in people]
        stays = [f"{user}: nobody else may do everything" for user in people if leaving.is_last_owner(user)]
        stays += [f"{user}: stands in the record of changes" for user in people if leaving.is_former(user)]
        return named, {str(User._meta.verbose_name_plural): len(named)}, set(), stays

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        leaving.delete_account(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            leaving.delete_account(user)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._is_within_reach(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._is_within_reach(request, obj)

    def _is_within_reach(self, request: HttpRequest, obj: User | None) -> bool:
        """Otherwise a new password for somebody with more rights would be a way to have those rights."""
        return request.user.is_superuser or obj is None or not (obj.is_staff or obj.is_superuser)


class LimitsInline(StackedInline):
    """Whoever may change a group may say how much its people may ask for at once."""

    model = GroupLimits
    verbose_name_plural = "How much its people may ask for at once"

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """What is left empty says nothing: then another group of the person counts, or the setting."""
        formset = super().get_formset(request, obj, **kwargs)
        limits = limits_of_the_site()
        for name, field in formset.form.base_fields.items():
            if hasattr(limits, name):
                field.help_text = f"{field.help_text} Empty: as set for the site, {getattr(limits, name):g}."
        return formset

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("auth.view_group") or request.user.has_perm("auth.change_group")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("auth.change_group" if obj else "auth.add_group")

    has_add_permission = has_delete_permission = has_change_permission


@admin.register(Group)
class GroupAdmin(PlainGroupAdmin, ModelAdmin):
    """Rights are given by superusers only: a group that one belongs to could otherwise be given any."""

    inlines = (LimitsInline,)
    filter_horizontal = ()

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        managed = [model for model in apps.get_models() if self.admin_site.is_registered(model)]
        types = ContentType.objects.get_for_models(*managed).values()
        kwargs["queryset"] = Permission.objects.filter(content_type__in=types).select_related("content_type")
        kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> Any:
        return () if request.user.is_superuser else ("permissions",)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Without its last group, a route or a model would be for everybody: such groups stay."""
        deleted, counts, missing, protected = super().get_deleted_objects(objs, request)
        chosen = [group.pk for group in objs]
        limited = [*Route.objects.filter(groups__in=chosen), *Model.objects.filter(groups__in=chosen)]
        kept = [
            f"{each} is for this group. Give it another one, or everybody may use it."
            for each in dict.fromkeys(limited)
        ]
        return deleted, counts, missing, [*protected, *kept]


@admin.register(LogEntry)
class LogEntryAdmin(ModelAdmin):
    """What was changed in the admin, by whom and when."""

    list_display = ("action_time", "user", "what", "object_repr", "change")
    list_filter = ("action_flag", "content_type", "user")
    search_fields = ("object_repr",)
    list_select_related = ("user", "content_type")
    fields = ("action_time", "user", "what", "object_repr", "change")

    @display(description="What")
    def what(self, entry: LogEntry) -> str:
        return f"{entry.content_type}, {entry.get_action_flag_display()}".lower()

    @display(description="Change")
    def change(self, entry: LogEntry) -> str:
        return entry.get_change_message()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: LogEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: LogEntry | None = None) -> bool:
        return False

"""How the admin looks: its groups, and the page it opens with."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _item(title: str, icon: str, view: str, permission: str, besides: str = "//") -> dict[str, Any]:
    """An entry of the sidebar, shown to those who have `permission`.

    It is marked on its own page and the pages below, but for those with `besides` in their address.
    """
    link = reverse_lazy(view)

    def is_active(request: HttpRequest) -> bool:
        return request.path.startswith(str(link)) and besides not in request.path

    def is_allowed(request: HttpRequest) -> bool:
        return request.user.has_perm(permission)

    return {"title": title, "icon": icon, "link": link, "permission": is_allowed, "active": is_active}


_NAVIGATION: list[dict[str, Any]] = [
    {
        "title": "Chat",
        "items": [
            {"title": "Overview", "icon": "space_dashboard", "link": reverse_lazy("admin:index")},
            {"title": "Open the chat", "icon": "forum", "link": reverse_lazy("new-conversation"), "active": False},
        ],
    },
    {
        "title": "Models",
        "items": [
            _item("Providers", "dns", "admin:workers_provider_changelist", "workers.view_provider"),
            _item("Models", "neurology", "admin:workers_model_changelist", "workers.view_model"),
        ],
    },
    {
        "title": "Routing",
        "items": [
            _item("Routes", "alt_route", "admin:router_route_changelist", "router.view_route"),
            _item("Draft", "edit_note", "admin:router_revision_draft", "router.view_route"),
            _item("Try a message", "science", "admin:chat_turn_try", "router.view_route"),
            _item("Bench", "balance", "admin:routing_bench", "router.view_labelledmessage"),
            _item("Time machine", "fast_rewind", "admin:routing_replay_changelist", "routing.view_replay"),
            _item(
                "Labelled messages",
                "label",
                "admin:router_labelledmessage_changelist",
                "router.view_labelledmessage",
                "/bench/",
            ),
            _item("Corrections", "flag", "admin:router_correction_changelist", "router.view_correction"),
            _item("Ratings", "thumbs_up_down", "admin:chat_rating_changelist", "chat.view_rating"),
            _item("Training", "model_training", "admin:routing_training_changelist", "routing.view_training"),
            _item("Revisions", "history", "admin:router_revision_changelist", "router.view_revision", "/draft/"),
            _item("Rollouts", "hub", "admin:router_rollout_changelist", "router.view_revision"),
            _item("Safeguards", "shield", "admin:router_safeguards_changelist", "router.view_safeguards"),
        ],
    },
    {
        "title": "Operations",
        "items": [
            _item("Workers and queues", "monitoring", "admin:operations_board_changelist", "operations.view_board"),
            _item("Processes", "memory", "admin:router_runningprocess_changelist", "router.view_revision"),
            _item("Audit log", "policy", "admin:router_auditentry_changelist", "router.view_auditentry"),
            _item("Failed decisions", "call_split", "admin:chat_turn_changelist", "chat.view_turn", "/try/"),
            _item("Failed answers", "error", "admin:workers_completion_changelist", "workers.view_completion"),
            _item("Changes", "fact_check", "admin:admin_logentry_changelist", "admin.view_logentry"),
        ],
    },
    {
        "title": "People",
        "items": [
            _item("Users", "person", "admin:auth_user_changelist", "auth.view_user"),
            _item("Invitations", "mail", "admin:accounts_invitation_changelist", "accounts.view_invitation"),
            _item("Groups", "group", "admin:auth_group_changelist", "auth.view_group"),
        ],
    },
]

# The accent of the chat, from the lightest shade to the darkest; 600 is for light pages, 500 for dark ones.
_SHADES = (50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 950)
_ACCENT = (
    *("#edf8f5", "#d3efe8", "#b2e3d7", "#97dac9", "#80d1bc", "#6cc9b0"),
    *("#0e6b58", "#0b5848", "#09463a", "#07352c", "#04211b"),
)

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Switchyard",
    "SITE_HEADER": "Switchyard",
    "SITE_SYMBOL": "alt_route",
    "SITE_URL": reverse_lazy("new-conversation"),
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "8px",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("icons/favicon.svg")},
    ],
    "COLORS": {"primary": {str(shade): colour for shade, colour in zip(_SHADES, _ACCENT, strict=True)}},
    "DASHBOARD_CALLBACK": "chatsite.admin_overview.overview",
    "STYLES": [lambda request: static("css/admin.css")],
    "SCRIPTS": [lambda request: static("js/admin.js")],
    "SIDEBAR": {"show_search": False, "navigation": _NAVIGATION},
}

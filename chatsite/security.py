"""What browsers are told of each response.

The Content-Security-Policy is strict everywhere, relaxed where the theme of the admin needs it. What depends on who
asks is kept by nobody.
"""

from __future__ import annotations

from csp.constants import UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import add_never_cache_headers

# The theme's menus, tabs and sortable rows are Alpine expressions, which are compiled in the browser ('unsafe-eval'),
# and its colours come in a <style> element, widths in style attributes ('unsafe-inline' for styles). Inline scripts
# and scripts from elsewhere stay forbidden. But since Alpine takes attributes for code, the policy alone would not stop
# markup that somebody typed: escaping does, and tests/admin/test_escaping.py holds every page to it.
ADMIN_NEEDS = {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]}


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """django-csp's middleware, which adds what the admin needs, on pages of the admin only."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and request.resolver_match and request.resolver_match.app_names == ["admin"]:
            parts.update = {**(parts.update or {}), **ADMIN_NEEDS}
        return parts


class PrivateSessionMiddleware(SessionMiddleware):
    """Django's middleware, which keeps what was made for a session out of every cache.

    Else somebody who presses Back after another person has signed out would be shown what that person had read.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response = super().process_response(request, response)
        if request.session.accessed and not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response

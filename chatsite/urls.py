"""Every address of the site; the socket at /ws/ is in `chatsite.asgi`."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

admin.autodiscover()  # here, because workers, which have no addresses, start in half the time without

urlpatterns = [
    path("", include("chatsite.chat.urls")),
    path("", include("chatsite.documents.urls")),
    path("", include("chatsite.writing.urls")),
    path("", include("chatsite.accounts.urls")),
    path("", include("chatsite.search.urls")),
    path("", include("chatsite.sharing.urls")),
    path("", include("chatsite.transfer.urls")),
    path("admin/operations/", RedirectView.as_view(pattern_name="admin:operations_board_changelist")),
    path("admin/", admin.site.urls),
]

handler400 = "chatsite.chat.views.bad_request"
handler500 = "chatsite.chat.views.server_error"

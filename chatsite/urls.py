"""Every address of the site; the socket at /ws/ is in `chatsite.asgi`."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("chatsite.chat.urls")),
    path("", include("chatsite.accounts.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "chatsite.chat.views.bad_request"
handler500 = "chatsite.chat.views.server_error"

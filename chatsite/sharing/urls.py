from django.urls import path

from chatsite.sharing import views

urlpatterns = [
    path("c/<uuid:conversation_id>/share/", views.share, name="conversation-share"),
    path("c/<uuid:conversation_id>/share/revoke/", views.revoke, name="conversation-revoke"),
    path("messages/<uuid:message_id>/share/", views.share_until, name="message-share"),
    path("shared/", views.links, name="shared-links"),
    path("s/<str:token>/", views.shared, name="shared"),
]

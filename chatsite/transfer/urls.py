from django.urls import path

from chatsite.transfer import views

urlpatterns = [
    path("c/<uuid:conversation_id>/export.md", views.export_markdown, name="conversation-markdown"),
    path("c/<uuid:conversation_id>/export.json", views.export_json, name="conversation-json"),
    path("transfer/", views.transfer, name="transfer"),
    path("transfer/conversations.json", views.export_all, name="export-all"),
    path("transfer/import/", views.start_import, name="import"),
]

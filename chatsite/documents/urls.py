from django.urls import path

from chatsite.documents import views

urlpatterns = [
    path("files/", views.add, name="file-add"),
    path("files/<uuid:attachment_id>/", views.state, name="file-state"),
    path("files/<uuid:attachment_id>/remove/", views.remove, name="file-remove"),
    path("files/<uuid:attachment_id>/file/", views.file, name="file"),
]

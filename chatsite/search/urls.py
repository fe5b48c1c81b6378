from django.urls import path

from chatsite.search import views

urlpatterns = [
    path("search/", views.search, name="search"),
    path("found/<uuid:message_id>/", views.found, name="found"),
]

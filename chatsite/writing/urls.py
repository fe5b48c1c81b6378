from django.urls import path

from chatsite.writing import views

urlpatterns = [
    path("draft/", views.draft, name="draft"),
    path("sent/", views.sent, name="sent"),
]

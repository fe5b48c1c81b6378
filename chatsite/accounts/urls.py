from django.contrib.auth.views import LogoutView
from django.urls import path

from chatsite.accounts import views

urlpatterns = [
    path("sign-in/", views.SignInView.as_view(), name="sign-in"),
    path("sign-in/<str:token>/", views.sign_in_by_link, name="sign-in-by-link"),
    path("language/", views.choose_language, name="choose-language"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
]

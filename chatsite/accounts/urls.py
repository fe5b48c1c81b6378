from django.contrib.auth.views import LogoutView
from django.urls import path

from chatsite.accounts import joining, own_account, views

urlpatterns = [
    path("sign-in/", views.SignInView.as_view(), name="sign-in"),
    path("sign-in/<str:token>/", views.sign_in_by_link, name="sign-in-by-link"),
    path("language/", views.choose_language, name="choose-language"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("join/", joining.join, name="join"),
    path("join/<str:token>/", joining.join, name="join-by-invitation"),
    path("password/", views.ask_for_reset, name="password-reset"),
    path("password/<uidb64>/<token>/", views.ResetView.as_view(), name="password-reset-confirm"),
    path("account/", own_account.account, name="account"),
    path("account/address/", own_account.address, name="account-address"),
    path("account/password/", own_account.PasswordView.as_view(), name="account-password"),
    path("account/delete/", own_account.delete, name="account-delete"),
    path("account/first-steps/hide/", own_account.hide_first_steps, name="first-steps-hide"),
]

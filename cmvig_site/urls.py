"""Every address of the site."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path
from django.views.generic import RedirectView

from cmvig_site import views
from patients.views import account, sign_in

urlpatterns = [
    path("sign-in/", sign_in.sign_in, name="sign-in"),
    path("sign-in/code/", sign_in.code, name="sign-in-code"),
    path("sign-in/again/", sign_in.go_on, name="go-on"),
    path("sign-out/", account.without_second_factor(auth.LogoutView.as_view()), name="sign-out"),
    path("set-password/<uidb64>/<token>/", sign_in.SetPassword.as_view(), name="set-password"),
    path("account/", account.index, name="account"),
    path("account/lock/", account.without_second_factor(sign_in.lock), name="lock"),
    path("account/stay/", account.without_second_factor(sign_in.stay), name="stay"),
    path("account/password/", account.password, name="account-password"),
    path("account/second-factor/", account.set_up, name="second-factor"),
    path("account/recovery-codes/", account.recovery_codes, name="recovery-codes"),
    path("account/sessions/end/", account.end_session, name="end-session"),
    path("favicon.ico", views.icon),
    path("help/", views.help_page, name="help"),
    # One way in, with its limits and its second factor: the admin site's own is closed.
    path("admin/login/", sign_in.admin_login),
    path("admin/password_change/", RedirectView.as_view(pattern_name="account-password")),
    path("admin/", admin.site.urls),
    path("", include("patients.urls")),
    path("", include("regimens.urls")),
]
handler403 = "cmvig_site.views.forbidden"
handler404 = "cmvig_site.views.not_found"
handler500 = "cmvig_site.views.server_error"

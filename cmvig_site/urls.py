"""Every address of the site."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from cmvig_site import views

urlpatterns = [
    path("sign-in/", auth.LoginView.as_view(), name="sign-in"),
    path("sign-out/", auth.LogoutView.as_view(), name="sign-out"),
    path("favicon.ico", views.icon),
    path("help/", views.help_page, name="help"),
    path("admin/", admin.site.urls),
    path("", include("patients.urls")),
    path("", include("regimens.urls")),
]
handler403 = "cmvig_site.views.forbidden"
handler404 = "cmvig_site.views.not_found"
handler500 = "cmvig_site.views.server_error"

"""The addresses: the admin below /admin/, people's own pages below /accounts/, the API of each app at the root."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

handler400 = "labeling.api.errors.bad_request"
handler404 = "labeling.api.errors.no_such_address"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("labeling.admin.accounts")),
    path("", include("labeling.api.urls")),
    path("", include("sequences.api.urls")),
    path("", include("releases.api.urls")),
]

"""The addresses of releases and of their files."""

from __future__ import annotations

from django.urls import URLPattern, path

from labeling.api.urls import both
from releases.api.files import ReleaseFileView
from releases.api.releases import ReleasesView, ReleaseView

urlpatterns: list[URLPattern] = [
    both("datasets/<owner>/<name>/releases", ReleasesView, "releases"),
    both("datasets/<owner>/<name>/releases/<release>", ReleaseView, "release"),
    path("releases/<str:release>/<str:token>/<str:filename>", ReleaseFileView.as_view(), name="release-file"),
]

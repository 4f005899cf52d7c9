"""The addresses of releases and of their files."""

from __future__ import annotations

from django.urls import URLPattern, path

from labeling.api.urls import both
from releases.api.audit import BundleView
from releases.api.differences import DifferenceView
from releases.api.erasures import AssetEraseView
from releases.api.exports import ExportFileView, FormatsView, ReleaseExportView
from releases.api.files import ReleaseArchiveView, ReleaseFileView
from releases.api.imports import ImportsView, JobCancelView, JobRetryView, JobUndoView, JobView
from releases.api.releases import ManifestView, ReleasesView, ReleaseView
from releases.api.signatures import ReleaseSignaturesView
from releases.api.trainings import DatasetTrainingsView, LineageView, TrainingsView, TrainingView

urlpatterns: list[URLPattern] = [
    both("datasets/<owner>/<name>/bundle", BundleView, "dataset-bundle"),
    both("datasets/<owner>/<name>/diff", DifferenceView, "diff"),
    both("datasets/<owner>/<name>/releases", ReleasesView, "releases"),
    both("datasets/<owner>/<name>/releases/<release>", ReleaseView, "release"),
    both("datasets/<owner>/<name>/releases/<release>/manifest", ManifestView, "release-manifest"),
    both("datasets/<owner>/<name>/releases/<release>/signatures", ReleaseSignaturesView, "release-signatures"),
    both("datasets/<owner>/<name>/releases/<release>/trainings", TrainingsView, "release-trainings"),
    both("datasets/<owner>/<name>/releases/<release>/lineage", LineageView, "release-lineage"),
    both("datasets/<owner>/<name>/releases/<release>/archive", ReleaseArchiveView, "release-archive"),
    both("datasets/<owner>/<name>/releases/<release>/export", ReleaseExportView, "release-export"),
    both("datasets/<owner>/<name>/trainings", DatasetTrainingsView, "trainings"),
    both("datasets/<owner>/<name>/trainings/<training>", TrainingView, "training"),
    both("datasets/<owner>/<name>/imports", ImportsView, "imports"),
    both("assets/<asset>/erase", AssetEraseView, "asset-erase"),
    both("jobs/<job>", JobView, "job"),
    both("jobs/<job>/cancel", JobCancelView, "job-cancel"),
    both("jobs/<job>/retry", JobRetryView, "job-retry"),
    both("jobs/<job>/undo", JobUndoView, "job-undo"),
    both("formats", FormatsView, "formats"),
    path("exports/<str:export>/<str:token>/<str:filename>", ExportFileView.as_view(), name="export-file"),
    path("releases/<str:release>/<str:token>/<str:filename>", ReleaseFileView.as_view(), name="release-file"),
]

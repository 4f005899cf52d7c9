"""The addresses of the API. Each answers with and without its last slash: a redirect would drop a body."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path, re_path

from labeling.api import (
    audit,
    blame,
    datasets,
    datasheets,
    document,
    feed,
    files,
    guidelines,
    histories,
    history,
    issues,
    keys,
    labels,
    mask_imports,
    masks,
    organizations,
    people,
    proofs,
    reports,
    restoring,
    samples,
    saved_reports,
    shapes,
    signatures,
    signing_keys,
    undo,
    webhooks,
    work_units,
)

SEGMENT = r"(?P<{}>[^/]+)"
UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def both(route: str, view: Any, name: str) -> URLPattern:
    """A route whose `<word>` stands for one path segment, with an optional last slash."""
    pattern = "".join(SEGMENT.format(part[1:-1]) if part.startswith("<") else part for part in _split(route))
    return re_path(rf"^{pattern}/?$", view.as_view(), name=name)


def _words(below: str) -> list[str]:
    """What an address below webhooks is called."""
    one, _, what = below.partition("/")
    return ["webhook" if one else "webhooks", what]


def _split(route: str) -> list[str]:
    parts: list[str] = []
    for piece in route.split("/"):
        parts += [piece, "/"]
    return parts[:-1]


urlpatterns = [
    both("api_status", people.StatusView, "api-status"),
    both("user", people.CallerView, "user"),
    both("user/datasets", datasets.DatasetListView, "user-datasets"),
    both("user/keys", keys.KeysView, "keys"),
    both("user/keys/<key>", keys.KeyView, "key"),
    both("signing-keys", signing_keys.SigningKeysView, "signing-keys"),
    both("users/<username>", people.PersonView, "user-read"),
    both("users/<username>/datasets", datasets.DatasetListView, "users-datasets"),
    both("organizations", organizations.OrganizationsView, "organizations"),
    both("organizations/<organization>/datasets", organizations.OrganizationDatasetsView, "organization-datasets"),
    both("organizations/<organization>/members", organizations.OrganizationMembersView, "organization-members"),
    both(
        "organizations/<organization>/members/<username>",
        organizations.OrganizationMemberView,
        "organization-member",
    ),
    # In front of a dataset's own address, which it would be if there were a person with such a name.
    re_path(rf"^datasets/(?P<sample>{UUID})/issues/?$", issues.SDKSampleIssuesView.as_view(), name="sdk-sample-issues"),
    both("datasets/<owner>/<name>", datasets.DatasetView, "dataset"),
    both("datasets/<owner>/<name>/clone", datasets.CloneView, "clone"),
    both("datasets/<owner>/<name>/events", history.DatasetEventsView, "dataset-events"),
    both("datasets/<owner>/<name>/datasheet", datasheets.DatasheetView, "datasheet"),
    both("datasets/<owner>/<name>/guidelines", guidelines.GuidelinesView, "guidelines"),
    both("datasets/<owner>/<name>/guidelines/<guideline>/objects", guidelines.MadeUnderView, "guideline-objects"),
    both("datasets/<owner>/<name>/feed", feed.FeedView, "dataset-feed"),
    both("datasets/<owner>/<name>/collaborators", people.MembersView, "collaborators"),
    both("datasets/<owner>/<name>/collaborators/<username>", people.MemberView, "collaborator"),
    both("datasets/<owner>/<name>/issues", issues.DatasetIssuesView, "issues"),
    both("datasets/<owner>/<name>/labelsets", datasets.LabelSetsView, "labelsets"),
    both("datasets/<owner>/<name>/labelsets/<label_set>", datasets.LabelSetView, "labelset"),
    both("datasets/<owner>/<name>/audit", audit.DatasetAuditsView, "dataset-audits"),
    both("datasets/<owner>/<name>/audit/checkpoints", audit.DatasetCheckpointsView, "dataset-checkpoints"),
    both("datasets/<owner>/<name>/audit/proofs/inclusion", proofs.DatasetInclusionView, "dataset-inclusion"),
    both("datasets/<owner>/<name>/audit/proofs/consistency", proofs.DatasetConsistencyView, "dataset-consistency"),
    both("datasets/<owner>/<name>/audit/<report>", audit.DatasetAuditView, "dataset-audit"),
    both("audit", audit.AuditsView, "audits"),
    both("audit/checkpoints", audit.CheckpointsView, "checkpoints"),
    both("audit/proofs/inclusion", proofs.InclusionView, "inclusion"),
    both("audit/proofs/consistency", proofs.ConsistencyView, "consistency"),
    both("audit/<report>", audit.InstallationAuditView, "audit"),
    both("datasets/<owner>/<name>/reports/<report>", reports.ReportView, "report"),
    both("datasets/<owner>/<name>/masks", mask_imports.MasksView, "mask-imports"),
    both("datasets/<owner>/<name>/savedreports", saved_reports.SavedReportsView, "saved-reports"),
    both("datasets/<owner>/<name>/savedreports/<saved_report>", saved_reports.SavedReportView, "saved-report"),
    both("datasets/<owner>/<name>/samples", samples.SampleListView, "samples"),
    both("datasets/<owner>/<name>/samples_bulk", samples.SampleBulkView, "samples-bulk"),
    both("datasets/<owner>/<name>/shapes", shapes.ShapesView, "shapes"),
    both("datasets/<owner>/<name>/workunits", work_units.WorkUnitsView, "work-units"),
    *(
        both(f"{route}/{below}".rstrip("/"), view, "-".join(filter(None, (name, *_words(below)))))
        for route, name, views in webhooks.PLACES
        for below, view in views.items()
    ),
    both("activity", reports.ActivityView, "activity"),
    both("issues/<issue>", issues.IssueView, "issue"),
    both("issues/<issue>/comments", issues.IssueCommentsView, "issue-comments"),
    both("samples/<sample>", samples.SampleView, "sample"),
    both("samples/<sample>/issues", issues.SampleIssuesView, "sample-issues"),
    both("labels/<sample>/<label_set>", labels.LabelView, "label"),
    both("labels/<sample>/<label_set>/edits", labels.EditsView, "label-edits"),
    both("labels/<sample>/<label_set>/events", labels.LabelEventsView, "label-events"),
    both("labels/<sample>/<label_set>/signatures", signatures.SignaturesView, "label-signatures"),
    both("labels/<sample>/<label_set>/undo", undo.UndoView, "label-undo"),
    both("labels/<sample>/<label_set>/blame", blame.BlameView, "label-blame"),
    both("labels/<sample>/<label_set>/history", histories.LabelHistoryView, "label-history"),
    both("samples/<sample>/history", histories.SampleHistoryView, "sample-history"),
    both("datasets/<owner>/<name>/history", histories.DatasetHistoryView, "dataset-history"),
    both("labels/<sample>/<label_set>/restore", restoring.LabelRestoreView, "label-restore"),
    both("samples/<sample>/restore", restoring.SampleRestoreView, "sample-restore"),
    both("datasets/<owner>/<name>/restore", restoring.DatasetRestoreView, "dataset-restore"),
    both("labels/<sample>/<label_set>/redo", undo.RedoView, "label-redo"),
    both("labels/<sample>/<label_set>/mask", masks.MaskView, "label-mask"),
    both("labels/<sample>/<label_set>/mask/report", masks.MaskReportView, "label-mask-report"),
    both("labels/<sample>/<label_set>/overlay", masks.OverlayView, "label-overlay"),
    both("labels/<sample>/<label_set>/pixel", masks.PixelView, "label-pixel"),
    both("assets", files.AssetsView, "assets"),
    both("assets/upload", files.UploadView, "asset-upload"),
    both("assets/<asset>/complete", files.AssetCompleteView, "asset-complete"),
    path("media/<str:token>/<str:filename>", files.MediaView.as_view(), name="media"),
    path("api/schema/", document.SchemaView.as_view(), name="schema"),
    path("api/docs/", document.DocsView.as_view(), name="docs"),
]

"""Events in words, as one would tell somebody what happened. An app above tells the words for its own events."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from labeling import events as e
from labeling.log.browse import Headline
from labeling.log.event import Fact

JSON = dict[str, Any]

#: type → (what one event says, what several of one command say; {n} is how many)
PHRASES: dict[str, tuple[str, str]] = {}
#: type → what its data adds; only of short data, because a list leaves out the rest
DETAILS: dict[str, Callable[[JSON], str]] = {}

MOST_PHRASES = 3


def tell(fact: type[Fact], one: str, several: str = "", detail: Callable[[JSON], str] | None = None) -> None:
    """Give the words for an event type; without `several`, many of one command are told as one."""
    PHRASES[fact.__name__] = (one, several or one)
    if detail is not None:
        DETAILS[fact.__name__] = detail


def phrase(type_name: str, data: JSON | None, count: int = 1) -> str:
    """What happened, without who and where: "added an object (bbox)"."""
    known = PHRASES.get(type_name)
    if known is None:
        spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type_name).lower()
        return spaced if count == 1 else f"{spaced}, {count} times"
    if count > 1:
        return known[1].format(n=count)
    detail = DETAILS.get(type_name)
    extra = detail(data) if detail is not None and data is not None else ""
    return f"{known[0]} {extra}".rstrip()


def gist(headlines: Sequence[Headline]) -> str:
    """What the events of one command did together, in their order: "added 3 objects, set the status to labeled"."""
    counts: dict[str, int] = {}
    first: dict[str, JSON | None] = {}
    for item in headlines:
        counts[item.type] = counts.get(item.type, 0) + 1
        first.setdefault(item.type, item.data)
    phrases = [phrase(name, first[name], count) for name, count in counts.items()]
    if len(phrases) <= MOST_PHRASES:
        return ", ".join(phrases)
    return f"{', '.join(phrases[:MOST_PHRASES])} and {len(phrases) - MOST_PHRASES} more"


def together(headlines: Sequence[Headline]) -> list[list[Headline]]:
    """Neighbouring events of one command, newest first as given; each group oldest first."""
    groups: list[list[Headline]] = []
    for item in headlines:
        if groups and (groups[-1][0].log, groups[-1][0].command) == (item.log, item.command):
            groups[-1].insert(0, item)
        else:
            groups.append([item])
    return groups


def _names(key: str) -> Callable[[JSON], str]:
    return lambda data: ", ".join(sorted(word.replace("_", " ") for word in data.get(key) or ()))


def _number(key: str, words: str) -> Callable[[JSON], str]:
    return lambda data: words.format(data[key]) if key in data else ""


def _geometry(data: JSON) -> str:
    kind = (data.get("geometry") or {}).get("type")
    return f"({kind})" if kind else ""


def _status(data: JSON) -> str:
    return str(data.get("after", "")).lower().replace("_", " ")


def _quoted(key: str) -> Callable[[JSON], str]:
    return lambda data: f"“{data[key]}”" if data.get(key) else ""


def _member(data: JSON) -> str:
    return f"{data.get('person_name', '')} as {data.get('role')}".lstrip()


def _imported(data: JSON) -> str:
    return f"with {len(data.get('annotations') or ())} objects"


def _restored(data: JSON) -> str:
    return str((data.get("of") or {}).get("kind", "")).replace("_", " ")


def _rights(data: JSON) -> str:
    said = [
        f"{key.removeprefix('is_')} {'on' if value else 'off'}" for key, value in (data.get("changes") or {}).items()
    ]
    return f"({', '.join(said)})" if said else ""


tell(e.LabelImported, "imported a label", "imported a label in {n} parts", _imported)
tell(e.LabelDocumentSet, "set the whole label")
tell(e.LabelStatusChanged, "set the status to", "changed the status {n} times", _status)
tell(e.GestureUndone, "undid a gesture", "undid {n} gestures")
tell(e.GestureRedone, "did a gesture again", "did {n} gestures again")
tell(e.LabelRestored, "restored", "restored {n} times", _restored)
tell(e.LabelHeaderRestored, "put back the label's", detail=_names("fields"))
tell(e.LabelScoreSet, "set the label's score")
tell(e.LabelDeleted, "deleted the label")
tell(e.SceneAttributesSet, "set attributes of the image:", "set attributes of the image {n} times", _names("scene"))
tell(e.ClassificationAssigned, "gave the image a category", "gave the image {n} categories")
tell(e.ClassificationRemoved, "took a category from the image", "took {n} categories from the image")
tell(e.DefaultClassificationSet, "set the image's default category")
tell(e.AnnotationAdded, "added an object", "added {n} objects", _geometry)
tell(e.AnnotationRestored, "put back an object's", "put back {n} objects", _names("fields"))
tell(e.AnnotationRemoved, "removed an object", "removed {n} objects")
tell(e.AnnotationGeometrySet, "redrew an object", "redrew {n} objects", _geometry)
tell(e.AnnotationVertexInserted, "put in a vertex", "put in {n} vertices")
tell(e.AnnotationVertexMoved, "moved a vertex", "moved vertices {n} times")
tell(e.AnnotationVertexRemoved, "took a vertex away", "took {n} vertices away")
tell(e.AnnotationPartAdded, "added a part to an object", "added {n} parts to objects")
tell(e.AnnotationHoleAdded, "cut a hole into an object", "cut {n} holes into objects")
tell(e.AnnotationRingRemoved, "took a part or a hole of an object away", "took {n} parts or holes away")
tell(e.AnnotationCategorySet, "changed an object's category", "changed the category of {n} objects")
tell(e.AnnotationAttributesSet, "set attributes of an object:", "set attributes {n} times", _names("attributes"))
tell(e.AnnotationAttributesCleared, "cleared attributes of an object", "cleared attributes {n} times")
tell(e.AnnotationKeypointsSet, "placed keypoints", "placed the keypoints of {n} objects")
tell(e.AnnotationKeypointsCleared, "cleared keypoints", "cleared the keypoints of {n} objects")
tell(e.AnnotationOrientationSet, "turned an object", "turned {n} objects")
tell(e.AnnotationOrientationCleared, "cleared an orientation", "cleared {n} orientations")
tell(e.AnnotationOrderChanged, "raised or lowered an object", "reordered {n} objects")
tell(e.AnnotationScoreSet, "scored an object", "scored {n} objects")
tell(e.AnnotationOriginSet, "set an object's origin", "set the origin of {n} objects")
tell(e.AnnotationExtraSet, "set other keys of an object", "set other keys of {n} objects")
tell(e.AnnotationLinkAdded, "linked two objects", "added {n} links")
tell(e.AnnotationLinkRemoved, "removed a link", "removed {n} links")
tell(e.BitmapPatched, "painted the bitmap", "painted the bitmap {n} times")
tell(e.MaskImported, "imported a mask", "imported {n} masks")
tell(e.AnnotationBitmapPatched, "painted an object", "painted objects {n} times")
tell(e.AnnotationRasterized, "turned an object into a bitmap", "turned {n} objects into bitmaps")
tell(e.AnnotationPolygonized, "turned a bitmap into polygons", "turned {n} bitmaps into polygons")
tell(e.AnnotationFitted, "fitted an object into the image", "fitted {n} objects into the image")

tell(e.LabelSigned, "signed the label as", "signed {n} labels", lambda data: str(data.get("meaning", "")))

tell(e.SampleAdded, "added the sample", "added {n} samples")
tell(e.SampleChanged, "changed the sample's", "changed the sample {n} times", _names("changes"))
tell(e.SamplePrioritySet, "set the sample's priority")
tell(e.SampleAssigned, "assigned the sample")
tell(e.SampleFramesAdded, "added frames to the sample", detail=_number("frame", "at {}"))
tell(e.SampleFramesRemoved, "removed frames of the sample", detail=_number("frame", "from {} on"))
tell(e.SampleFrameMoved, "moved a frame", "moved {n} frames", _number("to", "to {}"))
tell(e.SampleFrameTimed, "set the time of frame", "set the times of {n} frames", _number("frame", "{}"))
tell(e.SampleArchived, "deleted the sample")
tell(e.AssetAdded, "brought in file", "brought in {n} files", _quoted("filename"))
tell(e.AssetErased, "erased a file", "erased {n} files")

tell(e.DatasetCreated, "created the dataset")
tell(e.DatasetSettingsChanged, "changed", detail=_names("changes"))
tell(e.TaskAttributesSet, "set the categories and attributes")
tell(e.CategoryAdded, "added a category", "added {n} categories")
tell(e.CategoryRenamed, "renamed a category to", "renamed {n} categories", _quoted("name"))
tell(e.CategoryRecolored, "recoloured a category", "recoloured {n} categories")
tell(e.CategoryDeprecated, "deprecated a category", "deprecated {n} categories")
tell(e.CategoryMerged, "merged a category into another", "merged {n} categories")
tell(e.CategoryChanged, "changed a category", "changed {n} categories")
tell(e.CategoryRemoved, "removed a category", "removed {n} categories")
tell(e.CategoriesReordered, "put the categories into another order", "reordered the categories {n} times")
tell(e.TaskAttributesChanged, "changed the rules for labels", "changed the rules for labels {n} times")
tell(e.AttributeDefined, "defined an attribute", "defined {n} attributes")
tell(e.AttributeRemoved, "removed attribute", "removed {n} attributes", _quoted("name"))
tell(e.AttributesReordered, "put attributes into another order", "reordered attributes {n} times")
tell(e.AttributeChanged, "changed attribute", "changed {n} attributes", _quoted("name"))
tell(e.SkeletonDefined, "defined a skeleton", "defined {n} skeletons")
tell(e.LabelSetCreated, "created label set", "created {n} label sets", _quoted("name"))
tell(e.LabelSetArchived, "deleted a label set", "deleted {n} label sets")
tell(e.MemberAdded, "added a member:", "added {n} members", _member)
tell(e.MemberRoleChanged, "changed a role:", "changed the role of {n} members", _member)
tell(e.MemberRemoved, "removed a member:", "removed {n} members", lambda data: str(data.get("person_name", "")))
tell(e.GuidelineSet, "set the guideline:", "set the guideline {n} times", _number("version", "version {}"))
tell(e.DatasheetSet, "filled in the datasheet:", "filled in the datasheet {n} times", _names("changes"))
tell(e.DatasetDeleted, "deleted the dataset")

tell(e.IssueOpened, "opened an issue", "opened {n} issues")
tell(e.IssueCommented, "commented on an issue", "wrote {n} comments")
tell(e.IssueResolved, "set an issue to", "changed {n} issues", lambda data: str(data.get("status", "")).lower())

tell(e.IssueAnchorSet, "moved an issue", "moved {n} issues")
tell(e.IssueArchived, "deleted an issue", "deleted {n} issues")
tell(e.WebhookAdded, "added a webhook", "added {n} webhooks")
tell(e.WebhookChanged, "changed a webhook", "changed webhooks {n} times")
tell(e.WebhookPaused, "paused a webhook", "paused webhooks {n} times")
tell(e.WebhookResumed, "let a webhook go on", "let webhooks go on {n} times")
tell(e.WebhookSecretChanged, "changed a webhook's secret", "changed webhooks' secrets {n} times")
tell(e.WebhookRedelivered, "had a webhook told again", "had webhooks told again {n} times")
tell(e.WebhookRemoved, "removed a webhook", "removed {n} webhooks")
tell(e.ReportSaved, "kept a report", "kept {n} reports")
tell(e.ReportRemoved, "removed a report", "removed {n} reports")
tell(e.ActivityClosed, "closed the work of a day", "closed the work of {n} days")

tell(e.OrganizationMemberAdded, "added a member of the organisation", "added {n} members of the organisation")
tell(e.OrganizationMemberRoleChanged, "changed a role in the organisation", "changed {n} roles in the organisation")
tell(e.SigningKeyAdded, "took a signing key into use", "took {n} signing keys into use")
tell(e.SigningKeyRetired, "retired a signing key", "retired {n} signing keys")
tell(e.OrganizationMemberRemoved, "removed a member of the organisation", "removed {n} members of the organisation")
tell(e.LoginSucceeded, "logged in", "logged in {n} times")
tell(e.LoginFailed, "failed to log in", "failed to log in {n} times")
tell(e.LoggedOut, "logged out", "logged out {n} times")
tell(e.KeyUsed, "used an API key", "used API keys {n} times")
tell(e.CommandDenied, "was denied", "was denied {n} times")
tell(e.Downloaded, "downloaded a file", "downloaded {n} files")
tell(e.AuditRead, "read the audit", "read the audit {n} times")
tell(e.LogCheckpointSigned, "signed a checkpoint of a log", "signed {n} checkpoints of logs")

tell(e.PersonAdded, "added an account", "added {n} accounts")
tell(e.PersonChanged, "changed an account", "changed {n} accounts", _rights)
tell(e.RetentionSet, "set how long is kept:", "set the retention {n} times", lambda data: str(data.get("kind", "")))
tell(e.HoldPlaced, "placed a legal hold on a", "placed {n} legal holds", lambda data: str(data.get("what", "")))
tell(e.HoldLifted, "lifted the legal hold on a", "lifted {n} legal holds", lambda data: str(data.get("what", "")))
tell(e.DataPurged, "purged", "purged {n} times", lambda data: f"{data.get('count', '')} {data.get('kind', '')}")
tell(
    e.ClockSetBack,
    "found that the clock was set back by",
    "found {n} times that the clock was set back",
    _number("by_ms", "{} ms"),
)
tell(e.SystemRestored, "restored the installation from a backup")
tell(e.FileErased, "erased a file for good", "erased {n} files for good")
tell(e.PersonErased, "erased a person's data", "erased the data of {n} people", _number("number", "(erased-{:04d})"))
tell(e.KeyCreated, "made an API key", "made {n} API keys")
tell(e.KeyRevoked, "revoked an API key", "revoked {n} API keys")

"""Every event type of labels, samples, datasets and the installation: what happened, in an annotator's words.

Stored for ever: a field may get a default or a new optional neighbour; anything else needs a new schema version and an
upcast. `annotation` is always the annotation's uuid, `person` a person's id, `id` the number that people see.
"""

from __future__ import annotations

from typing import Any

from labeling.log.event import Fact, vocabulary

JSON = dict[str, Any]


# --- a label -------------------------------------------------------------------------------------------------------


class LabelImported(Fact, frozen=True):
    """A label's first content came as a whole document; huge ones in several parts, each complete in itself."""

    annotations: list[JSON]  #: as AnnotationAdded
    scene: JSON = {}
    mask: JSON | None = None  #: as in BitmapPatched.mask
    status: str | None = None
    verb: str = "upload"
    score: float | None = None
    part: int = 1
    parts: int = 1


class LabelDocumentSet(Fact, frozen=True):
    """The whole label was set, verbatim; for task types without events of their own."""

    document: JSON


class LabelStatusChanged(Fact, frozen=True):
    """The label went from one status to another."""

    before: str | None
    after: str
    verb: str  #: submit, save, skip, accept, reject, verify, override, upload, reopen


class LabelScoreSet(Fact, frozen=True):
    """The label as a whole got a score, or lost it."""

    score: float | None


class LabelDeleted(Fact, frozen=True):
    """The label was deleted; its stream goes on counting."""


class SceneAttributesSet(Fact, frozen=True):
    """What holds for the whole image was set: image attributes and the document's other keys. null removes a key."""

    scene: JSON


class ClassificationAssigned(Fact, frozen=True):
    """The whole image was given a category."""

    category_id: int


class ClassificationRemoved(Fact, frozen=True):
    """The whole image lost a category."""

    category_id: int


class DefaultClassificationSet(Fact, frozen=True):
    """One of the image's categories became the default one; null when none is left."""

    category_id: int | None


class AnnotationAdded(Fact, frozen=True):
    """An object was added."""

    annotation: str
    id: int
    category_id: int | None
    geometry: JSON
    order: float
    attributes: JSON | None = None
    keypoints: list[JSON] | None = None
    orientation: JSON | None = None
    score: float | None = None
    origin: JSON | None = None
    extra: JSON | None = None  #: keys of the uploaded object that the protocol does not name


class AnnotationRemoved(Fact, frozen=True):
    """An object was removed."""

    annotation: str


class AnnotationGeometrySet(Fact, frozen=True):
    """An object got a new geometry: moved, resized, or drawn again."""

    annotation: str
    geometry: JSON


class AnnotationCategorySet(Fact, frozen=True):
    """An object got another category, or none."""

    annotation: str
    category_id: int | None


class AnnotationAttributesSet(Fact, frozen=True):
    """Some attributes of an object were set."""

    annotation: str
    attributes: JSON


class AnnotationAttributesCleared(Fact, frozen=True):
    """Some attributes of an object were taken away; `all` says that it has no attributes at all now."""

    annotation: str
    names: list[str]
    all: bool = False


class AnnotationKeypointsSet(Fact, frozen=True):
    """An object's keypoints were placed."""

    annotation: str
    keypoints: list[JSON]


class AnnotationKeypointsCleared(Fact, frozen=True):
    """An object's keypoints were taken away."""

    annotation: str


class AnnotationOrientationSet(Fact, frozen=True):
    """An object's roll, pitch and yaw were set, in degrees."""

    annotation: str
    orientation: JSON


class AnnotationOrientationCleared(Fact, frozen=True):
    """An object's orientation was taken away."""

    annotation: str


class AnnotationOrderChanged(Fact, frozen=True):
    """An object was raised or lowered; a higher order lies on top."""

    annotation: str
    order: float


class AnnotationScoreSet(Fact, frozen=True):
    """An object got a score, or lost it."""

    annotation: str
    score: float | None


class AnnotationOriginSet(Fact, frozen=True):
    """Where an object comes from was set: a person, a model and its run, an import, a tool, another label set."""

    annotation: str
    origin: JSON | None


class AnnotationExtraSet(Fact, frozen=True):
    """Keys of the object that the protocol does not name were set as uploaded."""

    annotation: str
    extra: JSON | None


class AnnotationLinkAdded(Fact, frozen=True):
    """An object was linked to another one."""

    annotation: str
    to: str
    attributes: JSON = {}


class AnnotationLinkRemoved(Fact, frozen=True):
    """A link between two objects was removed."""

    annotation: str
    to: str


class BitmapPatched(Fact, frozen=True):
    """Pixels of the label's bitmap changed: which ids gained or lost some, and the half-open pixel boxes of those.

    `mask` refers to the bitmap as it is now: {url, sha256 of the pixels as `hash`, width, height}.
    """

    base_hash: str | None
    mask: JSON
    changed: list[JSON]


class AnnotationRasterized(Fact, frozen=True):
    """An object became a bitmap; `cleared` keeps what it lost."""

    annotation: str
    geometry: JSON
    cleared: JSON


class AnnotationPolygonized(Fact, frozen=True):
    """A bitmap object became polygons."""

    annotation: str
    geometry: JSON
    tolerance_px: float


class AnnotationFitted(Fact, frozen=True):
    """An object was pushed, then clamped, into the image."""

    annotation: str
    geometry: JSON


# --- a sample ------------------------------------------------------------------------------------------------------


class SampleAdded(Fact, frozen=True):
    """A sample was added to the dataset."""

    sample: str
    name: str
    attributes: JSON
    metadata: JSON = {}
    priority: float = 0
    readme: str = ""
    assigned_labeler: str | None = None
    assigned_reviewer: str | None = None


class SampleChanged(Fact, frozen=True):
    """A sample's name, attributes, metadata or readme were changed."""

    changes: JSON


class SamplePrioritySet(Fact, frozen=True):
    """A sample was moved up or down in the queue."""

    priority: float


class SampleAssigned(Fact, frozen=True):
    """A sample was assigned to a labeler or a reviewer, or taken from one (null). Only the roles named changed."""

    roles: dict[str, str | None]  #: labeler, reviewer → person


class SampleArchived(Fact, frozen=True):
    """A sample was deleted: its name is free, its history stays."""


# --- a dataset -----------------------------------------------------------------------------------------------------


class DatasetCreated(Fact, frozen=True):
    """A dataset was created."""

    owner: str
    name: str
    task_type: str
    settings: JSON
    task_attributes: JSON = {}
    description: str = ""
    category: str = "other"
    readme: str = ""
    metadata: JSON = {}
    public: bool = False
    archived: bool = False
    cloned_from: JSON | None = None


class DatasetSettingsChanged(Fact, frozen=True):
    """Settings, texts or metadata of the dataset were changed."""

    changes: JSON


class TaskAttributesSet(Fact, frozen=True):
    """The document of categories, attributes and rules was set, verbatim."""

    document: JSON


class CategoryAdded(Fact, frozen=True):
    """A category was added."""

    category: JSON


class CategoryRenamed(Fact, frozen=True):
    """A category got another name."""

    id: int
    name: str


class CategoryRecolored(Fact, frozen=True):
    """A category got another colour."""

    id: int
    color: list[int] | None


class CategoryDeprecated(Fact, frozen=True):
    """A category is no longer offered; annotations keep it."""

    id: int


class CategoryMerged(Fact, frozen=True):
    """A category was merged into another; annotations keep the id that was sent and read as the other."""

    id: int
    into: int


class AttributeDefined(Fact, frozen=True):
    """An attribute was defined for a category, or for the whole image (null)."""

    category_id: int | None
    attribute: JSON


class AttributeChanged(Fact, frozen=True):
    """An attribute's definition was changed."""

    category_id: int | None
    name: str
    attribute: JSON


class SkeletonDefined(Fact, frozen=True):
    """The points and edges of a category's skeleton were defined."""

    category_id: int
    skeleton: JSON


class LabelSetCreated(Fact, frozen=True):
    """A label set was created."""

    label_set: str
    name: str
    description: str = ""
    kind: str = "predictions"  #: ground-truth, predictions, opinion
    base: str | None = None


class LabelSetArchived(Fact, frozen=True):
    """A label set was deleted: its name is free, its labels stay in the log."""

    label_set: str


class MemberAdded(Fact, frozen=True):
    """A person joined the dataset."""

    person: str
    role: str


class MemberRoleChanged(Fact, frozen=True):
    """A person got another role in the dataset."""

    person: str
    role: str


class MemberRemoved(Fact, frozen=True):
    """A person left the dataset; what they did stays theirs."""

    person: str


class DatasetDeleted(Fact, frozen=True):
    """The dataset was deleted: its name is free, its log stays."""


class AssetAdded(Fact, frozen=True):
    """A file was brought into the dataset: referred to by an unguessable token, without a host, pinned by its hash."""

    asset: str
    token: str
    filename: str
    sha256: str
    size_bytes: int
    content_type: str


class IssueOpened(Fact, frozen=True):
    """Somebody raised an issue on a sample. Texts are encrypted with the writer's key."""

    sample: str
    text: str
    status: str = "OPEN"
    anchor: JSON | None = None


class IssueCommented(Fact, frozen=True):
    """Somebody answered an issue, or changed its text or anchor."""

    text: str
    edits_description: bool = False
    anchor: JSON | None = None


class IssueResolved(Fact, frozen=True):
    """An issue was closed, or opened again."""

    status: str


class IssueAnchorSet(Fact, frozen=True):
    """What an issue points at was set; null when it is about the whole sample."""

    anchor: JSON | None


class IssueArchived(Fact, frozen=True):
    """An issue was deleted; what was said stays in the log."""


# --- the installation ----------------------------------------------------------------------------------------------


class PersonAdded(Fact, frozen=True):
    """A person, an organisation or a service got an account. Names are not in the log."""

    kind: str = "person"
    staff: bool = False
    superuser: bool = False


class PersonChanged(Fact, frozen=True):
    """An account was activated, deactivated, or got or lost rights in the admin; or its names or password changed."""

    changes: dict[str, bool] = {}
    renamed: bool = False
    password: bool = False


class KeyCreated(Fact, frozen=True):
    """An API key was made; only its hash is kept, and not in the log."""

    key: str
    scope: str = "manage"
    origin: str = "person"


class KeyRevoked(Fact, frozen=True):
    """An API key was revoked."""

    key: str


class OrganizationMemberAdded(Fact, frozen=True):
    """A person joined the organisation."""

    person: str
    role: str


class OrganizationMemberRoleChanged(Fact, frozen=True):
    """A person got another role in the organisation."""

    person: str
    role: str


class OrganizationMemberRemoved(Fact, frozen=True):
    """A person left the organisation; what they did stays theirs."""

    person: str


# --- security: who came in, who was refused, what left the house ---------------------------------------------------
#
# `count` is how often it happened: the first time within a minute is told at once, the rest of the minute together.
# What is not ours to remember in clear (a username that somebody tried, an address) is a keyed hash.


class LoginSucceeded(Fact, frozen=True):
    """A person logged in with a browser."""

    address: str
    count: int = 1


class LoginFailed(Fact, frozen=True):
    """Somebody gave a wrong username or password, or was locked out. Both are empty for several together."""

    username: str
    address: str
    locked: bool = False
    count: int = 1


class LoggedOut(Fact, frozen=True):
    """A person logged out."""

    count: int = 1


class CommandDenied(Fact, frozen=True):
    """Somebody was refused what they may not do, or came with a bad key. `path` is a template, without values."""

    action: str
    path: str
    dataset: str | None = None
    key: str | None = None
    address: str | None = None
    count: int = 1


class Downloaded(Fact, frozen=True):
    """A file with the labels of a dataset was downloaded."""

    what: str
    id: str
    dataset: str
    sha256: str
    address: str
    count: int = 1


ANNOTATION_EVENTS = (
    AnnotationAdded,
    AnnotationRemoved,
    AnnotationGeometrySet,
    AnnotationCategorySet,
    AnnotationAttributesSet,
    AnnotationAttributesCleared,
    AnnotationKeypointsSet,
    AnnotationKeypointsCleared,
    AnnotationOrientationSet,
    AnnotationOrientationCleared,
    AnnotationOrderChanged,
    AnnotationScoreSet,
    AnnotationOriginSet,
    AnnotationExtraSet,
    AnnotationLinkAdded,
    AnnotationLinkRemoved,
    AnnotationRasterized,
    AnnotationPolygonized,
    AnnotationFitted,
)
LABEL_EVENTS = (
    LabelImported,
    LabelDocumentSet,
    LabelStatusChanged,
    LabelScoreSet,
    LabelDeleted,
    SceneAttributesSet,
    ClassificationAssigned,
    ClassificationRemoved,
    DefaultClassificationSet,
    BitmapPatched,
    *ANNOTATION_EVENTS,
)
SAMPLE_EVENTS = (SampleAdded, SampleChanged, SamplePrioritySet, SampleAssigned, SampleArchived)
DATASET_EVENTS = (
    DatasetCreated,
    DatasetSettingsChanged,
    TaskAttributesSet,
    CategoryAdded,
    CategoryRenamed,
    CategoryRecolored,
    CategoryDeprecated,
    CategoryMerged,
    AttributeDefined,
    AttributeChanged,
    SkeletonDefined,
    LabelSetCreated,
    LabelSetArchived,
    MemberAdded,
    MemberRoleChanged,
    MemberRemoved,
    DatasetDeleted,
)
ISSUE_EVENTS = (IssueOpened, IssueCommented, IssueResolved, IssueAnchorSet, IssueArchived)
ORGANIZATION_EVENTS = (OrganizationMemberAdded, OrganizationMemberRoleChanged, OrganizationMemberRemoved)
INSTALLATION_EVENTS = (PersonAdded, PersonChanged, KeyCreated, KeyRevoked, *ORGANIZATION_EVENTS)
SECURITY_EVENTS = (LoginSucceeded, LoginFailed, LoggedOut, CommandDenied, Downloaded)

vocabulary.add(
    (
        *LABEL_EVENTS,
        *SAMPLE_EVENTS,
        *DATASET_EVENTS,
        AssetAdded,
        *ISSUE_EVENTS,
        *INSTALLATION_EVENTS,
        *SECURITY_EVENTS,
    )
)

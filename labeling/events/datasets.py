"""What happened to a dataset: settings, label sets, members and files."""

from __future__ import annotations

from typing import Any

from labeling.events.categories import CATEGORY_EVENTS
from labeling.log.event import Fact

JSON = dict[str, Any]


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


class GuidelineSet(Fact, frozen=True):
    """What those who label are told to do was set anew: as Markdown, or as a file of ours (its address without a host).

    `version` counts from 1; a version is in force from its event on.
    """

    version: int
    text: str = ""
    url: str | None = None


class DatasheetSet(Fact, frozen=True):
    """Something was said in fields of the dataset's datasheet (`rules.datasheet`); an empty text took a field away."""

    changes: dict[str, str]


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


class AssetErased(Fact, frozen=True):
    """A file's bytes were erased, for good; this is what stays: its hash, its size, and that of the picture."""

    asset: str
    sha256: str
    size_bytes: int
    width: int | None = None
    height: int | None = None


ASSET_EVENTS = (AssetAdded, AssetErased)

DATASET_EVENTS = (
    DatasetCreated,
    DatasetSettingsChanged,
    LabelSetCreated,
    LabelSetArchived,
    MemberAdded,
    MemberRoleChanged,
    MemberRemoved,
    GuidelineSet,
    DatasheetSet,
    DatasetDeleted,
    *CATEGORY_EVENTS,
)

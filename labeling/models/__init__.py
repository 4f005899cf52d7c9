"""The tables of labeling: people and keys, files, and what projectors fill from the log.

A projected row is written only by `log_append` and by a rebuild, from what a pure fold makes; nobody calls `.save()` on
it. Relations are plain uuids: a projection is rebuilt table by table and must not depend on another's order.
"""

from labeling.log.models import Checkpoint, LogHead, StoredEvent
from labeling.models.datasets import Asset, Dataset, DatasetAsset, LabelSet, Member, SampleCount, StatusCount
from labeling.models.labels import Annotation, Label, LabelMasks, LabelSnapshot, Mask, MaskFile
from labeling.models.people import (
    AddressSecret,
    ApiKey,
    LoginAttempts,
    OrganizationMember,
    Person,
    PersonKey,
    SecurityTally,
    SigningKey,
)
from labeling.models.projected import Projected
from labeling.models.samples import Issue, IssueComment, Sample, SampleStatus
from labeling.models.webhooks import Webhook, WebhookCursor, WebhookDelivery
from labeling.models.work import (
    Activity,
    ActivityVolume,
    Contribution,
    LastSignal,
    LedgerChunk,
    SavedReport,
    UnsavedWork,
    WorkUnit,
)

__all__ = [
    "Activity",
    "ActivityVolume",
    "AddressSecret",
    "Annotation",
    "ApiKey",
    "Asset",
    "Checkpoint",
    "Contribution",
    "Dataset",
    "DatasetAsset",
    "Issue",
    "IssueComment",
    "Label",
    "LabelMasks",
    "LabelSet",
    "LabelSnapshot",
    "LastSignal",
    "LedgerChunk",
    "LogHead",
    "LoginAttempts",
    "Mask",
    "MaskFile",
    "Member",
    "OrganizationMember",
    "Person",
    "PersonKey",
    "Projected",
    "Sample",
    "SampleCount",
    "SampleStatus",
    "SavedReport",
    "SecurityTally",
    "SigningKey",
    "StatusCount",
    "StoredEvent",
    "UnsavedWork",
    "Webhook",
    "WebhookCursor",
    "WebhookDelivery",
    "WorkUnit",
]

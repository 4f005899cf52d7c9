"""What happened to a track: one object's identity over the frames of a sequence.

Stored for ever, as labeling's events are. `track` is the track's uuid, `track_id` the number that people see; frames
count from 0. An entry is what somebody set at a frame:

    geometry      as in labeling, or a cuboid {type, position, dimensions, yaw, rotation}
    attributes, object_id, category_id, extra    where they are other than the track's
    flag          `is_keyframe` as it was uploaded, where that is not what the entry's kind says; null for none
    kept          true for a frame that was uploaded other than it would be computed, and is shown as it was
    absent        true for a remove-keyframe: the object is gone from this frame on
    split         true where a split put it, so that a merge of the two tracks takes it away (and puts back what `was`)
"""

from __future__ import annotations

from typing import Any

from labeling.log.event import Fact, vocabulary

JSON = dict[str, Any]


class TracksImported(Fact, frozen=True):
    """The first content of a sequence's label came as a whole document; huge ones in several parts."""

    tracks: list[JSON]  #: as TrackAdded
    document: JSON | None = None  #: as SequenceDocumentSet
    part: int = 1
    parts: int = 1


class SequenceDocumentSet(Fact, frozen=True):
    """What a label's document holds beside its objects was set: its frames with their times and bitmaps, its links."""

    document: JSON


class TrackAdded(Fact, frozen=True):
    """A track was begun. `entries` maps frames to what was set there."""

    track: str
    track_id: int
    category_id: int | None
    entries: dict[str, JSON]
    order: float
    sensor: int | None = None
    object_id: int | None = None  #: the protocol's id of the object, where it is not the track's
    unflagged: bool = False  #: the frames in between were uploaded without `is_keyframe`
    origin: JSON | None = None


class TrackRestored(Fact, frozen=True):
    """A track became again what it was: all of it where it was gone, else these fields, and without the cleared."""

    track: str
    fields: JSON
    cleared: list[str] = []


class TrackRemoved(Fact, frozen=True):
    """A track was removed, with all of its keyframes."""

    track: str


class TrackFramesSet(Fact, frozen=True):
    """A document changed what is set at some frames of a track, and cleared others."""

    track: str
    entries: dict[str, JSON]
    cleared: list[int] = []


class KeyframeSet(Fact, frozen=True):
    """Somebody said where the object is at a frame."""

    track: str
    frame: int
    entry: JSON


class KeyframeMoved(Fact, frozen=True):
    """A keyframe was moved to another frame."""

    track: str
    frame: int
    to: int


class KeyframeDeleted(Fact, frozen=True):
    """A keyframe was deleted; the frame is computed again."""

    track: str
    frame: int


class RemoveKeyframeSet(Fact, frozen=True):
    """The object is gone from this frame on, until its next keyframe."""

    track: str
    frame: int


class RemoveKeyframeMoved(Fact, frozen=True):
    """The object leaves at another frame."""

    track: str
    frame: int
    to: int


class RemoveKeyframeDeleted(Fact, frozen=True):
    """The object does not leave at this frame after all."""

    track: str
    frame: int


class KeyframeAttributesSet(Fact, frozen=True):
    """The attributes that hold from a keyframe on were set; null for none at all."""

    track: str
    frame: int
    attributes: JSON | None


class TrackAttributesSet(Fact, frozen=True):
    """Some attributes were set for all frames of a track, and others cleared."""

    track: str
    attributes: JSON
    cleared: list[str] = []


class TrackRecategorized(Fact, frozen=True):
    """A track got another category on all of its frames, or none."""

    track: str
    category_id: int | None


class TrackRenumbered(Fact, frozen=True):
    """A track got another number."""

    track: str
    track_id: int


class TrackOrderChanged(Fact, frozen=True):
    """A track was raised or lowered; a higher order lies on top."""

    track: str
    order: float


class TrackRasterized(Fact, frozen=True):
    """A track's keyframes became bitmaps; `cleared` keeps what each lost: its outline, and its attributes."""

    track: str
    geometries: dict[str, JSON]
    cleared: dict[str, JSON]


class TrackFitted(Fact, frozen=True):
    """A track's keyframes were pushed, then clamped, into the images of their frames."""

    track: str
    geometries: dict[str, JSON]


class TracksMerged(Fact, frozen=True):
    """The keyframes of `source` became those of `track`, and `source` is gone."""

    track: str
    source: str


class TrackSplit(Fact, frozen=True):
    """From a frame on, a track became another one. `entry` is where the new one begins, if that was in between."""

    track: str
    frame: int
    new_track: str
    new_track_id: int
    order: float
    entry: JSON | None = None
    leaves: bool = False  #: the old one was there, so that it leaves at this frame


class FramesRearranged(Fact, frozen=True):
    """The sample's frames changed, and what is set went along: its keyframes are at the new numbers of their frames.

    `frames` is the new sequence in runs [first, count] of the frames by their old numbers, null for new ones. `entries`
    maps a track to what had to be set so that each remaining frame goes on showing who is there: an object's keyframe
    where its first frame went, for one.
    """

    before: int  #: how many frames the label had
    frames: list[list[int | None]]
    heads: dict[str, JSON] = {}  #: by new number: what the document has of a new or changed frame, beside its objects
    entries: dict[str, dict[str, JSON]] = {}  #: track → new number → entry
    sensor: int | None = None


TRACK_EVENTS = (
    FramesRearranged,
    TracksImported,
    SequenceDocumentSet,
    TrackAdded,
    TrackRestored,
    TrackRemoved,
    TrackFramesSet,
    KeyframeSet,
    KeyframeMoved,
    KeyframeDeleted,
    RemoveKeyframeSet,
    RemoveKeyframeMoved,
    RemoveKeyframeDeleted,
    KeyframeAttributesSet,
    TrackAttributesSet,
    TrackRecategorized,
    TrackRenumbered,
    TrackOrderChanged,
    TrackRasterized,
    TrackFitted,
    TracksMerged,
    TrackSplit,
)

vocabulary.add(TRACK_EVENTS)

"""What happened to tracks, told in sentences."""

from __future__ import annotations

from typing import Any

from labeling.log.event import Fact
from labeling.rules.telling import Teller, Telling, attributes_set, differing, drawn, listed, redrawn, tell
from sequences import events as e

JSON = dict[str, Any]

TRACK = "track"


def _of(words: str, *fields: str) -> Teller:
    """A sentence with the track and fields of the fact in it."""
    return lambda told: words.format(told.named(TRACK, told.fact.track), *(getattr(told.fact, name) for name in fields))


def _added(told: Telling) -> str:
    first = min(told.fact.entries, key=int, default=None)
    shape = told.fact.entries[first].get("geometry") if first is not None else None
    return f"began {told.named(TRACK, told.fact.track)} at frame {first}" + (f", {drawn(shape)}" if shape else "")


def _keyframe(told: Telling) -> str:
    fact = told.fact
    name = told.named(TRACK, fact.track)
    had, _ = told.pieces(TRACK, fact.track)
    before = had.get("entries", {}).get(str(fact.frame), {}).get("geometry")
    after = fact.entry.get("geometry")
    if before and after and before != after:
        return f"{redrawn(name, before, after)} at frame {fact.frame}"
    return f"set a keyframe of {name} at frame {fact.frame}"


def _frames(told: Telling) -> str:
    fact = told.fact
    done = []
    if fact.entries:
        done.append(f"set {_numbered(list(fact.entries))}")
    if fact.cleared:
        done.append(f"cleared {_numbered(fact.cleared)}")
    return f"{listed(done)} of {told.named(TRACK, fact.track)}"


def _numbered(frames: list[Any]) -> str:
    numbers = sorted(int(frame) for frame in frames)
    if len(numbers) > 5:
        return f"{len(numbers)} frames from {numbers[0]} to {numbers[-1]}"
    return f"frame{'s' * (len(numbers) > 1)} {listed([str(number) for number in numbers])}"


def _attributes(told: Telling) -> str:
    fact = told.fact
    done = [f"set {attributes_set({}, fact.attributes)}"] if fact.attributes else []
    if fact.cleared:
        done.append(f"cleared {listed(sorted(fact.cleared))}")
    return f"{listed(done) or 'set no attributes'} on all of {told.named(TRACK, fact.track)}"


def _keyframe_attributes(told: Telling) -> str:
    name = told.named(TRACK, told.fact.track)
    if not told.fact.attributes:
        return f"cleared the attributes of {name} from frame {told.fact.frame} on"
    return f"set {attributes_set({}, told.fact.attributes)} on {name} from frame {told.fact.frame} on"


def _recategorized(told: Telling) -> str:
    had, _ = told.pieces(TRACK, told.fact.track)
    was, now = (told.category(number) for number in (had.get("category_id"), told.fact.category_id))
    return f"changed {told.named(TRACK, told.fact.track)} from {was} to {now}"


def _order(told: Telling) -> str:
    had, _ = told.pieces(TRACK, told.fact.track)
    way = "raised" if told.fact.order > had.get("order", 0) else "lowered"
    return f"{way} {told.named(TRACK, told.fact.track)}"


def _restored(told: Telling) -> str:
    had, has = told.pieces(TRACK, told.fact.track)
    name = told.named(TRACK, told.fact.track)
    return differing(name, told, had, has) if had else f"put back {name}"


def _merged(told: Telling) -> str:
    return f"merged {told.named(TRACK, told.fact.source)} into {told.named(TRACK, told.fact.track)}"


def _split(told: Telling) -> str:
    name, new = told.named(TRACK, told.fact.track), told.named(TRACK, told.fact.new_track)
    return f"split {name} at frame {told.fact.frame}: from there on it is {new}"


def _imported(told: Telling) -> str:
    count = len(told.fact.tracks)
    return f"uploaded a sequence with {count} track{'s' * (count != 1)}"


def _rearranged(told: Telling) -> str:
    runs = told.fact.frames
    olds = [first for first, _ in runs if first is not None]
    new = sum(count for first, count in runs if first is None)
    gone = told.fact.before - sum(count for first, count in runs if first is not None)
    done = [f"{count} {word}" for count, word in ((new, "new"), (gone, "gone")) if count]
    if olds != sorted(olds):
        done.append("some moved")
    said = "let the label go along with the frames of its sample"
    return f"{said}: {listed(done)}" if done else said


SENTENCES: tuple[tuple[type[Fact], Teller], ...] = (
    (e.TracksImported, _imported),
    (e.SequenceDocumentSet, lambda told: "set what the sequence holds beside its objects"),
    (e.FramesRearranged, _rearranged),
    (e.TrackAdded, _added),
    (e.TrackRestored, _restored),
    (e.TrackRemoved, _of("removed {}")),
    (e.TrackFramesSet, _frames),
    (e.KeyframeSet, _keyframe),
    (e.KeyframeMoved, _of("moved the keyframe of {} from frame {} to frame {}", "frame", "to")),
    (e.KeyframeDeleted, _of("deleted the keyframe of {} at frame {}", "frame")),
    (e.RemoveKeyframeSet, _of("let {} leave at frame {}", "frame")),
    (e.RemoveKeyframeMoved, _of("let {0} leave at frame {2} in the place of {1}", "frame", "to")),
    (e.RemoveKeyframeDeleted, _of("let {} not leave at frame {}", "frame")),
    (e.KeyframeAttributesSet, _keyframe_attributes),
    (e.TrackAttributesSet, _attributes),
    (e.TrackRecategorized, _recategorized),
    (e.TrackRenumbered, _of("gave {} the number {}", "track_id")),
    (e.TrackOrderChanged, _order),
    (e.TrackRasterized, _of("turned {} into bitmaps")),
    (e.TrackFitted, _of("fitted {} into the image")),
    (e.TracksMerged, _merged),
    (e.TrackSplit, _split),
)
for _type, _teller in SENTENCES:
    tell(_type, _teller)

"""Edits of a track's shapes at all of its keyframes: into bitmaps, into the image. Pure."""

from __future__ import annotations

from functools import partial
from typing import Any

from labeling.geometry import vertices
from labeling.geometry.conversions import RASTERIZABLE
from labeling.rules.edits.placement import Demands, same_size
from labeling.rules.edits.rasters import CLEARED, rasterized
from sequences import events as e
from sequences.rules.drawn import SHAPES, image_of
from sequences.rules.edits.subjects import Subjects
from sequences.rules.skeletons import skeleton_of
from sequences.rules.timeline import Track
from sequences.rules.track_state import in_order, tracks_of

JSON = dict[str, Any]


class ShapeEdits(Subjects):
    """Rasterizes tracks, and fits them into the image: one, or all of the label where none is named."""

    def rasterize_track(self, edit: JSON, place: str) -> JSON | None:
        """Each keyframe becomes the bitmap of its pixels, without attributes (the event keeps them); what lies between
        is held then. Keyframes that have no inside, or no pixel in the image, are left alone and told."""
        track, tracks = self._meant(edit, place)
        done: list[JSON] = []
        skipped: list[JSON] = []
        for each in tracks:
            entries: dict[str, JSON] = {}
            cleared: dict[str, JSON] = {}
            for frame, entry in _shapes(each):
                geometry = entry["geometry"]
                why = None if geometry["type"] in RASTERIZABLE else geometry["type"]
                if why is None and not self._has_images(each):
                    why = "no_image"
                if why is None:
                    width, height = self._image_wh(edit, place, each, int(frame))
                    runs = rasterized(geometry, width, height, place)
                    why = "no_pixels" if runs is None else None
                if why is None:
                    entries[frame] = {"type": "bitmap", "rle": runs}
                    cleared[frame] = {key: entry[key] for key in ("geometry", *CLEARED) if key in entry}
                else:
                    skipped.append(self.named(each) | {"frame": int(frame), "why": why})
            if entries:
                self.tell(e.TrackRasterized(track=each["uuid"], geometries=entries, cleared=cleared))
                done.append(self.named(each) | {"frames": sorted(map(int, entries))})
        self.said |= {"done": done, "skipped": skipped}
        return track

    def fit_track(self, edit: JSON, place: str) -> JSON | None:
        """Each keyframe is pushed into the image of its frame, and clamped where it is larger."""
        track, tracks = self._meant(edit, place)
        done = []
        for each in tracks:
            entries: dict[str, JSON] = {}
            for frame, entry in _shapes(each) if self._has_images(each) else ():
                width, height = self._image_wh(edit, place, each, int(frame))
                fitted = vertices.fit(entry["geometry"], height, width)
                if fitted != entry["geometry"]:
                    entries[frame] = fitted
            if entries:
                self.tell(e.TrackFitted(track=each["uuid"], geometries=entries))
                done.append(self.named(each) | {"frames": sorted(map(int, entries))})
        self.said["done"] = done
        return track

    def check(self, edit: JSON, place: str, first: int) -> None:
        """Hold the keyframes that an edit set against what the dataset asks of shapes that are drawn."""
        inside = self.state.settings.get("labels_outside_image") == "refuse"
        name = next((name for name in ("geometry", "points") if name in edit), None)
        for fact in self.outcome.facts[first:] if name else ():
            if not isinstance(fact, e.TrackAdded | e.KeyframeSet):
                continue
            track = tracks_of(self.state)[fact.track]
            entries = fact.entries if isinstance(fact, e.TrackAdded) else {str(fact.frame): fact.entry}
            for frame, entry in entries.items() if self._has_images(track) else ():
                # A box as large as another of its track was moved.
                others = (other["geometry"] for at, other in _shapes(track) if at != frame)
                like = next((had for had in others if same_size(had, entry["geometry"])), None)
                image = self._image(track, int(frame))
                drawn = {"geometry": entry["geometry"], "category_id": entry.get("category_id", track["category_id"])}
                Demands(ratios=self.ratios).check(f"{place}.{name}", drawn, like and {"geometry": like})
                Demands(inside, partial(self.known_wh, image)).check(f"{place}.{name}", drawn)

    def _meant(self, edit: JSON, place: str) -> tuple[JSON | None, list[Track]]:
        """(the track that is named, those that are meant)."""
        self.open()
        if "track" in edit:
            track = self.track(edit, place)
            return track, [track]
        sensor = edit.get("sensor")
        return None, [each for each in in_order(self.state) if sensor is None or each["sensor"] == sensor]

    def _has_images(self, track: Track) -> bool:
        sensor = track["sensor"]
        kind = self.task_type if sensor is None else skeleton_of(self.state)["sensors"][sensor]["task_type"]
        return bool(kind == SHAPES)

    def _image_wh(self, edit: JSON, place: str, track: Track, frame: int) -> tuple[int, int]:
        """The size of a frame's image; frames of a sequence need not be alike."""
        return self.image_wh(edit, place, self._image(track, frame))

    def _image(self, track: Track, frame: int) -> JSON:
        return image_of(self.sample(), track["sensor"], frame)


def _shapes(track: Track) -> list[tuple[str, JSON]]:
    """(frame, entry) of what was set with a geometry, in the order of the frames."""
    return sorted(((f, x) for f, x in track["entries"].items() if "geometry" in x), key=lambda item: int(item[0]))

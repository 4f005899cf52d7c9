"""Label documents of sequences: parse them into tracks, tell what changed, and render every frame again. Pure.

On the wire each frame lists every object in it. In the log there are keyframes. So of an uploaded document
- the first frame of a track, and the first after an absence, are keyframes whatever their flag says; so are those whose
  `is_keyframe` is true;
- a frame that is as we would compute it (equal after rounding to the grid, the flag included) is nothing;
- one that differs is kept, with its values and its flag, until somebody edits it;
- the first frame of an absence is a remove-keyframe.
What was an entry is rendered exactly as it was uploaded, the rest within a step of the grid.

`LabelState.document` is {"skeleton": the document without its objects} (see `bare`, `clock_said`). A frame whose
objects are not listed in the order of the tracks has their numbers in the place of its `annotations`. A label that was
saved before there were tracks holds its document verbatim, and is opened (`opening`) by the first command that changes
it.
"""

from sequences.rules.documents.changes import first_tracks, imported, is_verbatim, opening, track_changes
from sequences.rules.documents.rendering import annotation, render_tracks, rendered_frames
from sequences.rules.documents.sightings import SequenceDocument, parse_tracks

__all__ = [
    "SequenceDocument",
    "annotation",
    "first_tracks",
    "imported",
    "is_verbatim",
    "opening",
    "parse_tracks",
    "render_tracks",
    "rendered_frames",
    "track_changes",
]

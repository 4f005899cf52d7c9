"""Label documents of sequences: parse them into tracks, tell what changed, and render every frame again. Pure.

On the wire each frame lists every object in it. In the log there are keyframes. So of an uploaded document
- the first frame of a track, and the first after an absence, are keyframes whatever their flag says; so are those whose
  `is_keyframe` is true;
- a frame that is as we would compute it (equal after rounding to the grid, the flag included) is nothing;
- one that differs is kept, with its values and its flag, until somebody edits it;
- the first frame of an absence is a remove-keyframe.
What was an entry is rendered exactly as it was uploaded, the rest within a step of the grid.

`LabelState.document` is {"skeleton": the document without its objects} (see `bare`, `clock_said`). A frame whose
objects are not listed in the order of the tracks has their numbers in the place of its `annotations`.

Labels from before there were tracks. Their LabelDocumentSet events hold documents verbatim, and fold to the document,
not to tracks: the event does not say its task type, documents of datasets without one have the same shape, and a fold
reads one stream and nothing else. Above all a release or a read of that time has to give the very bytes that it gave
then, and rendering tracks is exact only within a step of the grid. So the document is opened (`opening`) where it is
read: by the task type, which every reader knows, and always into the same tracks with the same ids. Whoever asks for
tracks, frames, pictures or a timeline gets what the same document uploaded today would give; who asks for the
document gets the document; and the first change puts the TracksImported in front of itself that all of them have
seen.
"""

from sequences.rules.documents.changes import first_tracks, imported, opening, track_changes
from sequences.rules.documents.rendering import annotation, render_tracks, rendered_frames
from sequences.rules.documents.sightings import SequenceDocument, parse_tracks

__all__ = [
    "SequenceDocument",
    "annotation",
    "first_tracks",
    "imported",
    "opening",
    "parse_tracks",
    "render_tracks",
    "rendered_frames",
    "track_changes",
]

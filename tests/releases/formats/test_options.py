"""The options that every format has, asked of every format: borders, annotations without a category, frames."""

from __future__ import annotations

import pytest

from releases.formats import registry
from releases.formats.format import LEFT_OUT, ExportStopped, Format
from releases.formats.records import Annotation, Sample
from tests.support.records import CAR, UNNAMED, VIDEO, bbox, written

WRITTEN = [registry.FORMATS[name] for name in sorted(registry.WRITTEN)]
OF_IMAGES = [
    kind
    for kind in WRITTEN
    if kind.fate("bbox") != LEFT_OUT and kind.name not in ("cvat-video", "mot", "kitti-tracking")
]
OF_FRAMES = [kind for kind in WRITTEN if any(option.name == "frames" for option in kind.options)]
BEYOND = Sample("a.jpg", width=20, height=20, annotations=[Annotation(1, CAR, bbox(-5, 3, 25, 9), uuid="u1")])


def named(kinds: list[Format]) -> list[str]:
    return [kind.name for kind in kinds]


@pytest.mark.parametrize("kind", OF_IMAGES, ids=named(OF_IMAGES))
def test_annotations_without_a_category_are_left_out_and_listed_or_stop_the_export(kind: Format) -> None:
    sample = Sample("a.jpg", width=100, height=60, annotations=[UNNAMED])
    _, _, lines = written(kind, [sample])
    listed = [line for line in lines if line["what"] == "no category"]
    if kind.fate("no category") == LEFT_OUT:
        assert [(line["annotation"], line["became"]) for line in listed] == [(12, "left out")]
        with pytest.raises(ExportStopped, match=r"annotation 12 of sample a\.jpg has no category"):
            written(kind, [sample], uncategorized="stop")
    else:
        assert written(kind, [sample], uncategorized="stop")[0], "what can be said is no reason to stop"
        assert not [line for line in listed if line["became"] == "left out"]


@pytest.mark.parametrize("kind", OF_IMAGES, ids=named(OF_IMAGES))
def test_shapes_are_cut_off_at_the_border_unless_asked_otherwise(kind: Format) -> None:
    cut, _, lines = written(kind, [BEYOND])
    whole, _, others = written(kind, [BEYOND], clip="no")
    within, _, none = written(kind, [Sample("a.jpg", width=20, height=20, annotations=[
        Annotation(1, CAR, bbox(0, 3, 20, 9), uuid="u1")
    ])])  # fmt: skip
    assert not [line for line in (*others, *none) if line["what"] == "beyond the border"]
    if kind.name == "native":
        assert cut == whole, "nothing is clipped there, whatever the options say"
        return
    assert [line["what"] for line in lines if line["what"] == "beyond the border"] == ["beyond the border"]
    assert cut == within, "as if it had been drawn up to the border"


@pytest.mark.parametrize("kind", OF_FRAMES, ids=named(OF_FRAMES))
def test_sequences_are_written_dense_or_with_keyframes_only(kind: Format) -> None:
    dense, _, _ = written(kind, [VIDEO], frames="dense")
    sparse, losses, _ = written(kind, [VIDEO], frames="keyframes")
    assert dense and sparse and dense != sparse
    assert (len(sparse), sum(map(len, sparse.values()))) < (len(dense), sum(map(len, dense.values())))
    computed = losses.counts["computed frames", "left out"]
    assert computed > 0 or kind.name == "cvat-video", "a video of CVAT's computes them itself"

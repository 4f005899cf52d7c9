"""What the page of a record's history shows beside its sentences: drawings before and after, and the way back."""

from __future__ import annotations

import base64
import re
import uuid
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from hypothesis import given
from hypothesis import strategies as st

from labeling.audit import scenes, sketches, writing
from labeling.audit.asking import ask
from labeling.audit.catalogue import reports
from labeling.audit.report import Question
from labeling.commands import assets, labels
from labeling.geometry import png, rle
from labeling.models import Asset
from labeling.queries.datasets import state_of
from labeling.rules.label_ids import label_id
from sequences.rules.pictured import frame_of_change
from tests.labeling.admin.world import add_sample, upload
from tests.labeling.admin.world import png as picture

JSON = dict[str, Any]
RED = (200, 10, 20)


def boxed(x: float, y: float, width: float, height: float) -> JSON:
    return {"geometry": {"type": "bbox", "points": [[x, y], [x + width, y + height]]}}


def page(log: uuid.UUID, **options: str) -> str:
    asked = ask(reports("dataset")["record"], log, Question(options=options))
    return b"".join(writing.pieces(asked, "html")).decode()


@pytest.fixture
def drawn(person, dataset, intent) -> Any:
    """A box over a picture is drawn, moved a little, given a category and removed: (log, sample, file, object)."""
    ana = person(f"ana-{uuid.uuid4().hex[:6]}")
    log = dataset(ana)
    asset = upload(ana, picture(size=(400, 300)))
    sample = add_sample(log, ana, "a.png", {"image": {"url": assets.url_of(asset)}})

    def edit(edit: JSON) -> None:
        pencil = intent(ana, tool="pencil<b>")
        labels.edit_label(intent=pencil, sample=sample, label_set="ground-truth", edits=[edit])

    key = str(uuid.uuid4())
    edit({"op": "add", "uuid": key, "category_id": 1, "type": "bbox", "points": [[100, 100], [160, 140]]})
    edit({"op": "set_geometry", "annotation": key, "geometry": boxed(104, 102, 60, 40)["geometry"]})
    edit({"op": "set_category", "annotation": key, "category_id": 2})
    edit({"op": "remove", "annotation": key})
    return log, sample, asset, key


# --- the drawing -----------------------------------------------------------------------------------------------------

EACH: dict[str, JSON] = {
    "bbox": {"type": "bbox", "points": [[1, 2], [30, 40]]},
    "rbox": {"type": "rbox", "center": [20, 20], "size_wh": [10, 4], "angle_deg": 30},
    "polygon": {"type": "polygon", "parts": [[[[0, 0], [20, 0], [20, 20]], [[5, 1], [9, 1], [9, 5]]]]},
    "polyline": {"type": "polyline", "parts": [[[0, 0], [20, 5]]]},
    "point": {"type": "point", "points": [[3, 4]]},
    "skeleton": {"type": "skeleton", "points": [{"name": "a", "x": 1, "y": 2, "visibility": 2}]},
    "ellipse": {"type": "ellipse", "center": [20, 20], "radii": [10, 4], "angle_deg": 0},
    "bitmap": {"type": "bitmap", "rle": rle.encode(np.pad(np.ones((3, 4), bool), 2))},
}


@pytest.mark.parametrize("kind", EACH)
def test_every_geometry_is_drawn(kind):
    found = sketches.outline({"geometry": EACH[kind]})
    assert found is not None and (found.areas or found.lines or found.dots or found.cells)
    shown = sketches.svg(found, sketches.crop_of([found], None), RED, "a <b>")
    assert "rgb(200,10,20)" in shown and "<title>a &lt;b&gt;</title>" in shown and "nan" not in shown


@pytest.mark.parametrize(
    "item",
    [None, {}, {"geometry": {"type": "orientation"}}, {"geometry": {"type": "bbox", "points": []}},
     {"geometry": {"type": 7}}, {"geometry": {"type": "polygon", "parts": [["x"]]}},
     {"geometry": {"type": "polygon", "parts": []}},
     {"geometry": {"type": "polygon", "parts": [[[[0, 0], [1.2e308, 0], [1.2e308, 1.2e308]]]]}},
     {"geometry": {"type": "bbox", "points": [[-1.1e9, 0], [5, 5]]}},
     {"geometry": {"type": "bbox", "points": [[0, 0], [10**400, 5]]}}],
)  # fmt: skip
def test_what_cannot_be_drawn_is_left_out(item):
    assert sketches.outline(item) is None


def test_a_mask_is_drawn_as_its_runs():
    mask = np.zeros((10, 12), bool)
    mask[2:4, 3:6] = True
    mask[3, 8] = True
    found = sketches.outline(None, mask=mask)
    assert found is not None
    assert [*found.box_xyxy] == [3, 2, 9, 4]
    assert (found.cells, found.areas) == ("M3 2h3v1h-3zM3 3h3v1h-3zM8 3h1v1h-1z", "")
    part = sketches.outline(None, mask=mask[1:8, 2:], corner_xy=(2, 1))
    assert part == found
    shown = sketches.svg(found, sketches.crop_of([found], None), RED, "a mask")
    assert found.cells in shown and "stroke" not in shown


@given(
    st.floats(-50, 450),
    st.floats(-50, 350),
    st.floats(0, 500),
    st.floats(0, 400),
    st.none() | st.just((400, 300)),
)
def test_a_crop_shows_the_object_has_one_shape_and_lies_in_the_picture(x, y, width, height, size_wh):
    found = sketches.outline(boxed(x, y, width, height))
    assert found is not None
    left, top, wide, high = sketches.crop_of([found], size_wh)
    assert abs(wide / high - 4 / 3) < 1e-6 and wide >= sketches.LEAST_PX
    if size_wh is None:
        assert left <= x and top <= y and left + wide >= x + width and top + high >= y + height
    elif wide <= size_wh[0] and high <= size_wh[1]:
        assert left >= 0 and top >= 0 and left + wide <= size_wh[0] + 1e-6 and top + high <= size_wh[1] + 1e-6


def test_what_is_moved_a_little_is_shown_in_the_same_crop():
    one, other = (sketches.outline(boxed(x, 100, 60, 40)) for x in (100, 102))
    assert one is not None and other is not None
    assert (
        sketches.crop_of([one], (400, 300))
        == sketches.crop_of([other], (400, 300))
        == sketches.crop_of([one, other], (400, 300))
    )


# --- the page --------------------------------------------------------------------------------------------------------


def test_each_event_shows_the_object_before_and_after_and_the_way_back(drawn):
    log, sample, _, key = drawn
    text = page(log, sample=str(sample), object=key)
    added, moved, named, removed = re.findall(r"<li id=.event-\d+.>.*?</li>", text, re.S)
    for entry, sides in (
        (added, (False, True)),
        (moved, (True, True)),
        (named, (True, True)),
        (removed, (True, False)),
    ):
        figures = re.findall(r"<figure>.*?</figure>", entry, re.S)
        assert [("<svg" in figure) for figure in figures] == [*sides]
        assert [("not there" in figure) for figure in figures] == [not side for side in sides]
    label_set = state_of(log).label_set("ground-truth")
    assert label_set is not None
    undo = f"/admin/labeling/label/{label_id(f'label/{sample}/{label_set.id}')}/takeback/"
    assert text.count(undo) == 4
    assert text.count("data:image/png") == 1 and text.count('<use href="#crop1"/>') == 5  # one crop serves them all
    assert "pencil&lt;b&gt;" in text and "<b>pencil" not in text


def test_the_picture_is_in_the_crop_and_grey(drawn):
    log, sample, *_ = drawn
    (content,) = re.findall(r"data:image/png;base64,([^\"]+)", page(log, sample=str(sample)))
    data = base64.b64decode(content)
    assert png.kind_of(data)[0] == "gray" and png.kind_of(data)[2] <= scenes.CROP_WIDTH


def test_it_is_the_same_page_again_and_the_digest_knows_no_drawing(drawn):
    log, sample, asset, _ = drawn
    before = page(log, sample=str(sample))
    assert page(log, sample=str(sample)) == before
    Asset.objects.filter(id=asset.id).update(erased_at="2026-11-20T00:00:00Z")
    after = page(log, sample=str(sample))
    assert "data:image/png" not in after and "<svg" in after
    digest = r"<p><code>([0-9a-f]{64})</code>"
    assert re.findall(digest, after) == re.findall(digest, before)


def test_only_so_many_pictures_are_in_a_page(drawn, monkeypatch):
    monkeypatch.setattr(scenes, "MOST_PICTURES", 0)
    text = page(drawn[0])
    assert "data:image" not in text and text.count("<svg") == 6


def test_an_object_far_out_of_all_pictures_breaks_no_page(drawn, intent):
    log, sample, *_ = drawn
    owner = Asset.objects.get(id=drawn[2].id).owner
    far = [[0, 0], [1.2e308, 0], [1.2e308, 1.2e308]]
    edit = {"op": "add", "category_id": 1, "geometry": {"type": "polygon", "parts": [[far]]}}
    labels.edit_label(intent=intent(owner), sample=sample, label_set="ground-truth", edits=[edit])
    text = page(log, sample=str(sample))
    assert text.count("<svg") == 6 and text.endswith("</html>\n")


def test_a_sentence_begins_with_a_capital_and_keeps_its_others(drawn, person, dataset):
    ana = person(f"ana-{uuid.uuid4().hex[:6]}")
    log = dataset(ana)
    sample = add_sample(log, ana, "IMG_001.PNG", {"image": {"url": assets.url_of(upload(ana, picture()))}})
    assert "Added the sample “IMG_001.PNG”" in page(log, sample=str(sample))


def test_other_forms_draw_nothing(drawn, monkeypatch):
    monkeypatch.setattr(scenes.Scenes, "_of_piece", lambda *arguments: pytest.fail("nobody draws"))
    asked = ask(reports("dataset")["record"], drawn[0], Question())
    assert b"".join(writing.pieces(asked, "csv")).count(b"svg") == 0


@pytest.fixture
def painted(person, dataset, intent) -> tuple[uuid.UUID, uuid.UUID]:
    """A bitmap with one object, and more of it: (log, sample)."""
    ana = person(f"ana-{uuid.uuid4().hex[:6]}")
    log = dataset(ana, task_type="segmentation-bitmap")
    asset = upload(ana, picture())
    sample = add_sample(log, ana, "a.png", {"image": {"url": assets.url_of(asset)}})
    ids = np.zeros((48, 64), np.uint32)
    ids[10:20, 10:30] = 1
    for changed in (None, (slice(10, 20), slice(30, 40))):
        if changed:
            ids[changed] = 1
        file = assets.store_asset(
            assets.plan_asset(owner=ana.id, filename="m.png"), ContentFile(png.write_ids(ids)), content_type="image/png"
        )
        labels.save_label(
            intent=intent(ana),
            sample=sample,
            label_set="ground-truth",
            document={
                "annotations": [{"id": 1, "category_id": 1}],
                "segmentation_bitmap": {"url": assets.url_of(file)},
            },
            create=True,
        )
    return log, sample


def test_a_bitmap_that_was_painted_is_shown_before_and_after(painted):
    log, sample = painted
    text = page(log, sample=str(sample))
    assert text.count("<svg") >= 3 and "M10 10h20v1h-20z" in text and "M10 10h30v1h-30z" in text


def test_only_so_many_bitmaps_are_read_for_a_page(painted, monkeypatch):
    read, count = assets.read_mask, []

    def counted(*arguments: Any) -> Any:
        count.append(arguments)
        return read(*arguments)

    log, sample = painted
    monkeypatch.setattr(assets, "read_mask", counted)
    whole = page(log, sample=str(sample))
    assert len(count) == 2
    for most, reads in ((1, 1), (0, 0)):
        count.clear()
        monkeypatch.setattr(scenes, "MOST_PICTURES", most)
        text = page(log, sample=str(sample))
        assert len(count) == reads and "h30v1h-30z" not in text, "of one side alone nothing is shown"
        assert text.count("<li id=") == whole.count("<li id=")


def test_a_track_is_shown_in_the_first_frame_that_changed():
    entries = {"0": boxed(0, 0, 5, 5), "10": boxed(9, 0, 5, 5), "12": {"absent": True}}
    track: JSON = {"track_id": 3, "category_id": 1, "entries": entries}
    moved = track | {"entries": track["entries"] | {"10": boxed(20, 0, 5, 5)}}
    frame, before, after = frame_of_change(track, moved)
    assert frame == 10 and before is not None and after is not None
    assert (before["geometry"], after["geometry"]) == (boxed(9, 0, 5, 5)["geometry"], boxed(20, 0, 5, 5)["geometry"])
    assert frame_of_change(None, track)[:2] == (0, None)
    assert frame_of_change(track, None)[2] is None
    assert frame_of_change(track | {"entries": {}}, track | {"category_id": 2, "entries": {}}) == (0, None, None)

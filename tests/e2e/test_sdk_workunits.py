"""Work units through the SDK: what people did shows up, what programs did does not."""

from __future__ import annotations

import datetime as dt

import pytest
from segments import SegmentsClient
from segments.exceptions import NotFoundError
from segments.typing import LabelStatus, Workunit

from tests.e2e.conftest import MakeDataset, MakeSample
from tests.e2e.documents import bbox, vector_label
from tests.e2e.live_server import LiveServer
from tests.e2e.wire import Wire

BOX = {"op": "add", "category_id": 1, "type": "bbox", "points": [[1, 2], [30, 40]]}


def say(wire: Wire, sample: str, verb: str, *edits: dict[str, object]) -> None:
    """Edits and a verb as one save."""
    answer = wire.edit(sample, [*edits, {"op": "set_status", "verb": verb}])
    assert answer.status_code == 200, answer.text


def test_labeling_and_reviewing_make_work_units(
    admin: SegmentsClient, admin_wire: Wire, labeler_wire: Wire, make_sample: MakeSample
) -> None:
    sample = make_sample()
    say(labeler_wire, sample.uuid, "save", BOX)
    say(labeler_wire, sample.uuid, "submit", BOX)
    say(admin_wire, sample.uuid, "reject")
    say(labeler_wire, sample.uuid, "submit", BOX)
    say(admin_wire, sample.uuid, "accept")
    assert admin_wire.edit(sample.uuid, [BOX]).status_code == 200
    units = admin.get_workunits(sample.dataset_full_name, direction="asc")
    assert all(isinstance(unit, Workunit) for unit in units)
    assert [(unit.created_by, unit.work_type, unit.next_label_status) for unit in units] == [
        ("lena", "label", "LABELING_IN_PROGRESS"), ("lena", "label", "LABELED"), ("ada", "review", "REJECTED"),
        ("lena", "label", "LABELED"), ("ada", "review", "REVIEWED"), ("ada", "normal", None),
    ]  # fmt: skip
    assert {(unit.sample_uuid, unit.sample_name) for unit in units} == {(sample.uuid, sample.name)}
    assert (units[0].time, units[0].inactive_time) == (0, 0), "nobody knows when the first sample was opened"
    assert all(unit.session_time_metrics is None and unit.inactive_time == 0 for unit in units)
    # All times of one person together are what passed between their first and their last save.
    lena = [unit for unit in units if unit.created_by == "lena"]
    passed = dt.datetime.fromisoformat(lena[-1].created_at) - dt.datetime.fromisoformat(lena[0].created_at)
    assert 0 <= passed / dt.timedelta(milliseconds=1) - sum(unit.time for unit in lena) < len(lena)


def test_sorting_paging_times_and_metrics(admin: SegmentsClient, labeler_wire: Wire, make_dataset: MakeDataset,
                                          make_sample: MakeSample) -> None:  # fmt: skip
    dataset = make_dataset()
    for _ in range(5):
        say(labeler_wire, make_sample(dataset=dataset).uuid, "submit", BOX)
    newest = dataset.get_workunits()
    assert newest == admin.get_workunits(dataset.full_name, direction="asc")[::-1] and len(newest) == 5
    assert newest == admin.get_workunits(dataset.full_name, per_page=2) + admin.get_workunits(
        dataset.full_name, per_page=2, page=2
    ) + admin.get_workunits(dataset.full_name, per_page=2, page=3)
    assert admin.get_workunits(dataset.full_name, start="2020-01-01T00:00:00", end="2199-12-31T23:59:59") == newest
    assert admin.get_workunits(dataset.full_name, end="2020-01-01T00:00:00") == []
    assert admin.get_workunits(dataset.full_name, start="2199-12-31T23:59:59") == []
    cut = newest[2].created_at.removesuffix("+00:00")
    assert admin.get_workunits(dataset.full_name, start=cut) == newest[:3]
    assert admin.get_workunits(dataset.full_name, end=cut) == newest[3:]
    metrics = [unit.session_time_metrics for unit in dataset.get_workunits(include_session_time_metrics=True)]
    assert [metric["measured_intervals"] for metric in metrics] == [1, 1, 1, 1, 0]


def test_everybody_sees_their_own_and_managers_all(
    admin: SegmentsClient, labeler: SegmentsClient, outsider: SegmentsClient, admin_wire: Wire, labeler_wire: Wire,
    make_sample: MakeSample,
) -> None:  # fmt: skip
    sample = make_sample()
    say(labeler_wire, sample.uuid, "submit", BOX)
    say(admin_wire, sample.uuid, "accept")
    assert [unit.created_by for unit in admin.get_workunits(sample.dataset_full_name)] == ["ada", "lena"]
    assert [unit.created_by for unit in labeler.get_workunits(sample.dataset_full_name)] == ["lena"]
    with pytest.raises(NotFoundError):
        outsider.get_workunits(sample.dataset_full_name)


def test_what_a_script_uploads_through_the_sdk_is_nobodys_work(admin: SegmentsClient, make_sample: MakeSample) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(1)), LabelStatus.PRELABELED)
    sample.update_label("ground-truth", vector_label(bbox(1), bbox(2)), LabelStatus.LABELED)
    sample.delete_label("ground-truth")
    assert admin.get_workunits(sample.dataset_full_name) == []


def test_a_document_that_a_drawing_tool_puts_is_an_edit(
    admin: SegmentsClient, labeler_wire: Wire, make_sample: MakeSample
) -> None:
    sample = make_sample()
    body = {"attributes": vector_label(bbox(1)), "label_status": "LABELED"}
    answer = labeler_wire.send("PUT", f"/labels/{sample.uuid}/ground-truth/", body, headers={"X-Source": "brush"})
    assert answer.status_code == 201
    (unit,) = admin.get_workunits(sample.dataset_full_name)
    assert (unit.created_by, unit.work_type, unit.next_label_status) == ("lena", "normal", "LABELED")


def test_work_units_are_made_again_from_the_log(
    server: LiveServer, admin: SegmentsClient, labeler_wire: Wire, make_sample: MakeSample
) -> None:
    sample = make_sample()
    say(labeler_wire, sample.uuid, "submit", BOX)
    before = admin.get_workunits(sample.dataset_full_name)
    server.manage("rebuild", "workunits", "--dataset", sample.dataset_full_name)
    assert admin.get_workunits(sample.dataset_full_name) == before and len(before) == 1

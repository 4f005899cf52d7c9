"""What users of other tools asked for, and did not get, done here over HTTP as they would do it.

recogito2#29 (revert one annotation, a document to a time, all edits of one person), cvat#1118 and Label Studio#8520 are
in test_restoring.py. Here are cvat#6816 (predictions and corrections side by side, and what the correcting cost),
cvat#7996 (three days of annotations are gone) and cvat#5169 (some images of a finished job hold nothing).
"""

from __future__ import annotations

import uuid
from typing import Any

from labeling.commands import people
from tests.labeling.api.conftest import Caller
from tests.support.masks import box

JSON = dict[str, Any]


def model_of(person: Any) -> Caller:
    """Somebody's model, with a key of its own."""
    made = Caller(person)
    made.key = people.create_key(intent=people.operator("test"), person=person, origin="model")[1]
    return made


def objects(street: Any, at: int | None = None) -> dict[int, Any]:
    answer = street.ana.get(f"{street.label}/" + ("" if at is None else f"?at={at}"))
    assert answer.status == 200, answer.raw
    return {item["id"]: item["points"] for item in answer.json["attributes"]["annotations"]}


def test_the_predictions_of_a_model_stay_beside_what_people_made_of_them_and_the_correcting_has_a_price(street):
    """cvat#6816: "keep two versions of annotations within a single task", to judge the model and to price the work."""
    model = model_of(street.ana.person)
    predicted = {"annotations": [box(1, 0, 0, 10, 10), box(2, 20, 20, 40, 40), box(3, 50, 10, 60, 20)]}
    assert model.put(f"{street.label}/", {"attributes": predicted}).status == 201
    as_predicted = street.head
    moved = {"op": "set_geometry", "annotation": 2, "type": "bbox", "points": [[20, 20], [40, 38]]}
    assert street.edit(moved, {"op": "remove", "annotation": 3}, by=street.ben).status == 200
    assert street.edit({"op": "set_status", "verb": "submit"}, by=street.ben).status == 200

    assert objects(street, as_predicted).keys() == {1, 2, 3}, "the first version is there for ever"
    assert objects(street).keys() == {1, 2}
    difference = street.ana.get(f"{street.path}/diff/?from={as_predicted}").json
    changes = {change["id"]: change for entry in difference["entries"] for change in entry["changes"] if change["id"]}
    assert (changes[2]["change"], changes[2]["geometry"]["iou"], changes[3]["change"]) == ("changed", 0.9, "removed")
    [row] = street.ana.get(f"{street.path}/reports/assistance/?by=made_by").json["rows"]
    assert (row["made_by"], row["objects"]) == ("model", 3)
    assert (row["as_they_came"], row["corrected"], row["removed"]) == (1, 1, 1)
    costs = street.ana.get(f"{street.path}/reports/cost/?by=person&rate=36000000").json["rows"]
    assert [row["person"] for row in costs] == [str(street.ben.person.id)], "a model's time costs nothing"
    assert costs[0]["cost"] == round(costs[0]["active_s"] * 10_000, 4) > 0


def test_predictions_in_a_label_set_of_their_own_are_compared_with_the_truth_object_by_object(street):
    """cvat#6816, the other way: both versions stand beside each other, and a report says how far they agree."""
    assert street.ana.post(f"{street.path}/labelsets/", {"name": "model-1"}).status == 201
    predicted = {"annotations": [box(1, 0, 0, 10, 10), box(2, 20, 20, 40, 40, 2)]}
    path = f"/labels/{street.sample}/model-1/"
    assert model_of(street.ana.person).put(path, {"attributes": predicted}).status == 201
    assert street.ben.put(f"{street.label}/", {"attributes": {"annotations": [box(1, 0, 0, 10, 10)]}}).status == 201
    rows = {
        row["category"]: row for row in street.ana.get(f"{street.path}/reports/agreement/?by=category").json["rows"]
    }
    assert (rows[1]["agreement"], rows[1]["mean_iou"]) == (1.0, 1.0)
    assert (rows[2]["objects"], rows[2]["others"], rows[2]["agreement"]) == (0, 1, 0.0)


def test_three_days_of_work_that_are_gone_are_found_and_brought_back(street):
    """cvat#7996: "today all of my annotations were lost. Is there any way to recover these annotated frames?" """
    for number in range(1, 6):
        add = {"op": "add", "category_id": 1, "geometry": {"type": "bbox", "points": [[number, 0], [number + 9, 9]]}}
        assert street.edit(add, by=street.ben).status == 200
    before, worked = street.head, objects(street)
    assert len(worked) == 5
    # Another window saves the empty document that it was opened with.
    gone = street.ana.put(f"{street.label}/", {"attributes": {"annotations": []}})
    assert gone.status == 200 and gone.headers["Label-Superseded"] == "1,2,3,4,5", "nothing goes silently"
    assert objects(street) == {}

    story = street.ben.get(f"{street.label}/history/?type=AnnotationRemoved").json
    assert len(story) == 5 and {entry["author"] for entry in story} == {street.ana.person.username}
    assert story[0]["offset"] == before + 1, "when it happened is known to the event"
    body = {"of": {"kind": "label", "at": before}, "reason": "an old window saved nothing over it"}
    dry = street.ana.post(f"{street.label}/restore/", body | {"dry_run": True}).json
    assert [change["did"] for change in dry["changes"] if change["id"]] == ["restored"] * 5 and objects(street) == {}
    assert street.ana.post(f"{street.label}/restore/", body).status == 200
    assert (
        objects(street) == worked and street.ana.get(f"{street.label}/").json["label_status"] == "LABELING_IN_PROGRESS"
    )
    assert objects(street, before) == worked and objects(street, before + 5) == {}, "and all of it stays in the log"


def test_of_an_image_that_holds_nothing_it_is_known_whether_it_ever_held_something(street, sample):
    """cvat#5169: "the last 100 are lost. How to check and solve it?" One was never saved, the other was emptied."""
    never, emptied = (sample(street.id, street.ana.person) for _ in range(2))
    label = f"/labels/{emptied}/ground-truth"
    assert street.ben.put(f"{label}/", {"attributes": {"annotations": [box(1, 0, 0, 9, 9)]}}).status == 201
    at = street.head
    assert street.ana.delete(f"{label}/").status == 204

    def deeds(item: uuid.UUID) -> list[tuple[str, str]]:
        entries = street.ana.get(f"/samples/{item}/history/").json
        return [(entry["author"], entry["type"]) for entry in entries if entry["label_set"]]

    ana, ben = street.ana.person.username, street.ben.person.username
    assert deeds(never) == []
    assert deeds(emptied) == [(ben, "LabelImported"), (ana, "LabelDeleted")]
    work = street.ana.get(f"{street.path}/workunits/").json
    assert {unit["sample_uuid"] for unit in work} == {str(emptied)}, "and nobody worked on the other one"
    body = {"of": {"kind": "label", "at": at}, "reason": "deleted by mistake"}
    assert street.ana.post(f"{label}/restore/", body).status == 200
    assert len(street.ana.get(f"{label}/").json["attributes"]["annotations"]) == 1

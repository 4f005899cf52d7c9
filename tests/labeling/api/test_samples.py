"""Samples over the API: one by one, many at once, filtered and sorted, with their labels; and as they were."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

JSON = dict[str, Any]
BOX = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
IMAGE = {"image": {"url": "https://example.org/a.png"}}
PROTOCOL = {
    "uuid", "name", "attributes", "metadata", "priority", "readme", "created_at", "created_by", "assigned_labeler",
    "assigned_reviewer", "dataset_full_name", "issues",
}  # fmt: skip


def add(street: Any, name: str, **fields: Any) -> JSON:
    answer = street.ana.post(f"{street.path}/samples/", {"name": name, "attributes": IMAGE} | fields, packed=True)
    assert answer.status == 201, answer.raw
    found: JSON = answer.json
    return found


def names(answer: Any) -> list[str]:
    return [item["name"] for item in answer.json]


@pytest.mark.parametrize("slash", ["/", ""])
def test_a_sample_is_added_and_read_in_the_protocols_shape(street, slash):
    body = {"name": "b.png", "attributes": IMAGE, "metadata": {"a": 1}, "priority": 3, "readme": "r"}
    body["assigned_labeler"] = street.ben.person.username
    made = street.ana.post(f"{street.path}/samples{slash}", body)
    assert made.status == 201 and set(made.json) == PROTOCOL
    assert made.json.items() >= (body | {"assigned_reviewer": None}).items()
    assert made.json["dataset_full_name"] == street.path.removeprefix("/datasets/")
    read = street.ben.get(f"/samples/{made.json['uuid']}{slash}")
    assert (read.json, read.headers["ETag"]) == (made.json, '"1"')
    assert read.headers["Dataset-Offset"] == str(street.head)


def test_a_patch_changes_what_it_names_and_null_takes_away(street):
    made = add(street, "b.png", assigned_labeler=street.ben.person.username)
    path = f"/samples/{made['uuid']}/"
    changed = street.ana.patch(path, {"priority": -1, "assigned_labeler": None, "metadata": {"a": 2}})
    assert changed.json == made | {"priority": -1, "assigned_labeler": None, "metadata": {"a": 2}}
    assert changed.headers["ETag"] == '"4"'
    assert street.ana.patch(path, {}).json == changed.json
    assert street.ana.patch(path, {"assigned_labeler": "nobody-there"}).json["field"] == "assigned_labeler"
    assert street.ana.patch(path, {"assigned_labeler": ""}).json["field"] == "assigned_labeler"
    assert street.ben.patch(path, {"priority": 1}).status == 403


def test_a_taken_name_is_told_in_the_protocols_words(street):
    made, _ = add(street, "b.png"), add(street, "c.png")
    answer = street.ana.post(f"{street.path}/samples/", {"name": "b.png", "attributes": IMAGE})
    assert (answer.status, answer.detail) == (409, "Sample with this name already exists.")
    assert street.ana.patch(f"/samples/{made['uuid']}/", {"name": "c.png"}).status == 409


def test_many_at_once_and_those_that_are_there_are_returned_as_they_are(street):
    made = add(street, "b.png", priority=5)
    bulk = f"{street.path}/samples_bulk/"
    answer = street.ana.post(
        bulk, [{"name": name, "attributes": IMAGE, "odd": 1} for name in ("a.png", "b.png")], packed=True
    )
    assert answer.status == 201 and names(answer) == ["a.png", "b.png"]
    assert answer.json[1] == made
    assert street.ana.post(bulk, []).json == []
    for body, field in (({}, "body"), ("x", "body"), ([5], "[0]"), ([{"name": "x"}], "[0].attributes")):
        answer = street.ana.post(bulk, body)
        assert (answer.status, answer.json["field"]) == (400, field)
    assert street.ben.post(bulk, []).status == 403


def test_many_are_deleted_at_once(street):
    ids = [add(street, f"{number}.png")["uuid"] for number in range(3)]
    bulk = f"{street.path}/samples_bulk/"
    faults = [
        ({}, "uuids"),
        ({"uuids": []}, "uuids"),
        ({"uuids": ["x"]}, "uuids[0]"),
        ({"uuids": [ids[0], 5]}, "uuids[1]"),
        ({"uuids": ids * 400}, "uuids"),
    ]
    for bad, field in faults:
        answer = street.ana.delete(bulk, bad)
        assert (answer.status, answer.json["field"]) == (400, field)
    assert street.ben.delete(bulk, {"uuids": ids}).status == 403
    two_and_nobody = {"uuids": [*ids[:2], str(uuid.uuid4())]}
    answers = [street.ana.delete(bulk, two_and_nobody, Idempotency_Key="k") for _ in range(2)]
    assert [answer.json for answer in answers] == [{"deleted_count": 2}] * 2
    assert street.ana.get(f"/samples/{ids[0]}/").status == 404
    assert street.ana.get(f"/samples/{ids[2]}/").status == 200


def test_a_deleted_sample_is_gone_with_its_label(street):
    street.ana.put(f"{street.label}/", {"attributes": {"annotations": [BOX]}})
    assert street.ana.delete(f"/samples/{street.sample}/").status == 204
    for gone in (street.ana.get(f"/samples/{street.sample}/"), street.ana.get(f"{street.label}/")):
        assert (gone.status, gone.detail) == (404, "Not found.")


# --- lists ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def row(street):
    """a, b, c … in that order of age, beside the first sample."""
    street.ana.delete(f"/samples/{street.sample}/")
    for name, priority, metadata in (
        ("a.png", 1, {"city": "Gent", "night": True, "n": 3}),
        ("b.png", 3, {"city": "Gent"}),
        ("c.png", 2, {"city": "3", "n": 3.5}),
    ):
        add(street, name, priority=priority, metadata=metadata)
    return street


@pytest.mark.parametrize(
    "query, wanted",
    [
        ("", "abc"),
        ("sort=created_at", "abc"),
        ("sort=-created_at", "cba"),
        ("sort=name", "abc"),
        ("sort=-name", "cba"),
        ("sort=priority", "acb"),
        ("sort=-priority", "bca"),
        ("sort=-created", "cba"),
        ("sort=-None", "cba"),
        ("sort=x", "abc"),
        ("per_page=2", "ab"),
        ("per_page=2&page=2", "c"),
        ("per_page=desc", "abc"),
        ("name__contains=b", "b"),
        ("name__contains=.png", "abc"),
        ("name__contains=%25", ""),
        ("filters=city:Gent", "ab"),
        ("filters=city:gent", ""),
        ("filters=city:Gent,night:true", "a"),
        ("filters=n:3", "a"),
        ("filters=n:3.5", "c"),
        ("filters=city:3", "c"),
        ("filters=night:1", ""),
        ("filters=UNLABELED", "abc"),
        ("filters=:x", "abc"),
        ("filters=a:b:c", ""),
        ("filters=city:[", ""),
        ("filters=n:1e999", ""),
        ("label_status=UNLABELED", "abc"),
        ("label_status=LABELED", ""),
        ("label_status=nonsense", "abc"),
        ("labelset=ana/streets", "abc"),
        ("sort=gt_label__updated_at", "abc"),
    ],
)
def test_lists_are_filtered_and_sorted_and_nonsense_is_ignored(row, query, wanted):
    answer = row.ben.get(f"{row.path}/samples/?{query}")
    assert answer.status == 200
    shown = "".join(name[0] for name in names(answer))
    assert shown == wanted if "gt_label" not in query else sorted(shown) == sorted(wanted)


def test_a_page_after_a_sample_begins_behind_it_in_every_order(row):
    ids = {item["name"][0]: item["uuid"] for item in row.ana.get(f"{row.path}/samples/").json}

    def shown(query: str) -> str:
        return "".join(name[0] for name in names(row.ben.get(f"{row.path}/samples/?{query}")))

    assert shown(f"after={ids['a']}") == "bc"
    assert shown(f"after={ids['a']}&per_page=1") == "b"
    assert shown(f"sort=-created_at&after={ids['b']}") == "a"
    assert shown(f"sort=-name&after={ids['c']}") == "ba"
    assert shown(f"sort=-priority&after={ids['b']}") == "ca"
    assert shown(f"label_status=UNLABELED&after={ids['b']}") == "c"
    assert shown(f"after={ids['c']}") == ""
    row.ana.delete(f"/samples/{ids['b']}/")
    assert shown(f"after={ids['b']}") == "c", "a sample that was deleted since still has its place"
    past = row.head - 1
    listed = row.ana.get(f"{row.path}/samples/?at={past}&after={ids['a']}")
    assert names(listed) == ["b.png", "c.png"]


@pytest.mark.parametrize(
    "query, field",
    [
        ("after=x", "after"),
        ("after=", "after"),
        ("after=00000000-0000-4000-8000-000000000000", "after"),
        ("after={}&page=2", "page"),
        ("at=1&after={}", "after"),
        ("at=99&after=00000000-0000-4000-8000-000000000000", "after"),
    ],
)
def test_a_cursor_that_is_no_sample_of_the_dataset_is_refused(street, query, field):
    answer = street.ana.get(f"{street.path}/samples/?{query.format(street.sample)}")
    assert (answer.status, answer.json["field"]) == (400, field)


def test_a_cursor_of_another_dataset_is_refused(make_street):
    one, two = make_street(), make_street()
    answer = one.ana.get(f"{one.path}/samples/?after={two.sample}")
    assert (answer.status, answer.json["field"]) == (400, "after")


def test_lists_by_the_status_and_the_time_of_the_label(row):
    ids = {item["name"][0]: item["uuid"] for item in row.ana.get(f"{row.path}/samples/").json}
    row.ana.post(f"{row.path}/labelsets/", {"name": "model"})
    for letter, labelset, status in (
        ("c", "ground-truth", "LABELED"),
        ("a", "ground-truth", "REVIEWED"),
        ("b", "model", "LABELED"),
    ):
        body = {"attributes": {"annotations": []}, "label_status": status}
        row.ana.put(f"/labels/{ids[letter]}/{labelset}/", body)

    def shown(query: str) -> str:
        return "".join(name[0] for name in names(row.ana.get(f"{row.path}/samples/?{query}")))

    assert shown("label_status=LABELED") == "c"
    assert shown("label_status=LABELED,REVIEWED") == "ac"
    assert shown("label_status=UNLABELED") == "b"
    assert shown("label_status=UNLABELED,LABELED") == "bc"
    assert shown("label_status=LABELED&labelset=model") == "b"
    assert shown("sort=gt_label__updated_at") == "cab" and shown("sort=-gt_label__updated_at") == "acb"


def test_samples_come_with_their_labels_where_asked(street):
    other = add(street, "b.png")
    street.ana.put(f"{street.label}/", {"attributes": {"annotations": [BOX]}, "score": 0.5})
    label = street.ana.get(f"{street.label}/").json
    first, second = street.ana.get(f"{street.path}/samples/?labelset=ground-truth").json
    assert first["label"] == {
        key: label[key] for key in ("label_status", "score", "updated_at", "created_by", "reviewed_by")
    }
    assert second["label"] == {"label_status": "UNLABELED"}
    first, second = street.ana.get(f"{street.path}/samples/?labelset=ground-truth&include_full_label=1").json
    assert (first["label"], second["label"]) == (label, None)
    assert "label" not in street.ana.get(f"{street.path}/samples/").json[0]
    for query in ("labelset=ground-truth", "labelset=ground-truth?include_signed_urls=1"):
        assert street.ana.get(f"/samples/{street.sample}/?{query}").json["label"] == label
    assert street.ana.get(f"/samples/{other['uuid']}/?labelset=ground-truth").json["label"] is None
    assert street.ana.get(f"/samples/{other['uuid']}/?labelset=nothing").status == 404


def with_files(url: str, **beside: Any) -> JSON:
    return {"image": {"url": url, **beside}, "more": [{"url": url, **beside}, {"url": "https://example.org/b.png"}, 5]}


@pytest.mark.parametrize("query", ["?include_signed_urls=1", "?labelset=ground-truth?include_signed_urls=1"])
def test_files_of_ours_get_a_signed_url_where_asked(street, settings, query):
    url = f"{settings.PUBLIC_URL}/media/{'t' * 32}/a.png"
    made = add(street, "b.png", attributes=with_files(url))
    path = f"/samples/{made['uuid']}/"
    assert street.ana.get(path + query).json["attributes"] == with_files(url, signed_url=url)
    head = street.head
    street.ana.patch(path, {"attributes": IMAGE})
    past = street.ana.get(f"{path}?at={head}&{query[1:]}")
    assert past.json["attributes"] == with_files(url, signed_url=url)
    assert street.ana.get(path + query).json["attributes"] == IMAGE, "what lies elsewhere is not ours to sign"
    assert street.ana.get(path).json["attributes"] == IMAGE


def test_a_sample_of_another_kind_than_the_task_type_has_is_refused(make_street):
    street = make_street("image-vector-sequence")
    frames = {"frames": [{"image": {"url": ""}}]}
    cloud = {"pcd": {"url": "", "type": "pcd"}}
    head = street.head
    for bad, field in ((IMAGE, "frames"), (cloud, "frames"), ({"frames": [cloud]}, "frames[0].image")):
        one = street.ana.post(f"{street.path}/samples/", {"name": "b", "attributes": bad})
        assert (one.status, one.json["field"]) == (400, f"attributes.{field}")
        items = [{"name": "c", "attributes": frames}, {"name": "d", "attributes": bad}]
        many = street.ana.post(f"{street.path}/samples_bulk/", items)
        assert (many.status, many.json["field"]) == (400, f"[1].attributes.{field}")
    assert street.head == head
    made = street.ana.post(f"{street.path}/samples/", {"name": "b", "attributes": frames})
    assert made.status == 201
    for bad in (IMAGE, {"frames": [{"image": None}]}):
        answer = street.ana.patch(f"/samples/{made.json['uuid']}/", {"attributes": bad, "priority": 5})
        assert (answer.status, answer.json["field"].split("[")[0]) == (400, "attributes.frames")
    assert street.ana.get(f"/samples/{made.json['uuid']}/").json == made.json


# --- as they were --------------------------------------------------------------------------------------------------


def test_samples_as_they_were(street):
    path, listed = f"/samples/{street.sample}/?labelset=ground-truth", f"{street.path}/samples/"
    label = {"attributes": {"annotations": [BOX]}}
    shown: dict[int, tuple[JSON, list[JSON]]] = {}
    steps = [
        lambda: street.ana.patch(f"/samples/{street.sample}/", {"assigned_labeler": street.ben.person.username}),
        lambda: street.ben.put(f"{street.label}/", label),
        lambda: add(street, "b.png"),
        lambda: street.ana.patch(f"/samples/{street.sample}/", {"name": "z.png", "assigned_labeler": None}),
        lambda: street.ana.delete(f"{street.label}/"),
    ]
    for step in steps:
        step()
        shown[street.head] = (street.ana.get(path).json, street.ana.get(listed).json)
    street.ana.put(f"{street.label}/", label)
    street.ana.delete(f"{street.label}/")
    for offset, (one, many) in shown.items():
        assert street.ana.get(f"{path}&at={offset}").json == one
        again = street.ana.get(f"{listed}?at={offset}")
        assert (again.json, again.headers["Dataset-Offset"]) == (many, str(offset))
    assert street.ana.get(f"{path}&at=1").status == 404
    assert street.ana.get(f"{listed}?at=1").json == []

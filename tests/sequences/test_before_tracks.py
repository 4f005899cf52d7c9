"""Labels whose documents were stored verbatim, before there were tracks: every reader gets what the same document
uploaded today would give, and the document itself as it was; the first change says what everybody saw."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling.api.answers import answer
from labeling.api.requests import WIDE
from labeling.commands import labels as commands
from labeling.errors import Conflict
from labeling.log import store, values
from labeling.log.event import Intent
from labeling.models import LabelSet
from labeling.queries import labels as queries
from labeling.rules import task_types
from labeling.rules.label_ids import label_stream
from labeling.rules.task_types import VerbatimTask, task_type
from sequences.rules.track_state import tracks_of
from sequences.task_types import NAMES
from tests.e2e.documents import label_attributes
from tests.labeling.api.conftest import caller, make_street  # noqa: F401 - fixtures
from tests.sequences.rules.test_documents import box, frames

JSON = dict[str, Any]
WALK = frames(
    [box(0, keyframe=True), box(5, 2)], [box(1), box(5, 2)], [box(2, keyframe=True), box(5, 2)], [box(2)], [box(2)]
)


@pytest.fixture
def store_verbatim(monkeypatch: Any) -> Any:
    """store_verbatim(sample, author, document): a label as it was stored before there were tracks."""

    def save(sample: uuid.UUID, author: Any, document: JSON, kind: str) -> None:
        with monkeypatch.context() as before:
            before.setitem(task_types._task_types, kind, VerbatimTask(kind))
            commands.save_label(
                intent=Intent(author=author.id), sample=sample, label_set="ground-truth", document=document, create=True
            )

    return save


def nameless(tracks: list[JSON]) -> list[JSON]:
    return [{key: value for key, value in track.items() if key != "track"} for track in tracks]


@pytest.mark.parametrize("kind", NAMES)
def test_every_reader_gets_what_an_upload_of_today_would_give(make_street, sample, store_verbatim, kind):  # noqa: F811
    street = make_street(kind)
    document = label_attributes(kind, "https://example.org/m.png")
    stored = street.ana.put(f"{street.label}/", {"attributes": document}).json["attributes"]
    street.ana.delete(f"{street.label}/")
    old, new = (sample(street.id, street.ana.person) for _ in range(2))
    label, today = (f"/labels/{item}/ground-truth" for item in (old, new))

    exact = values.parse(answer(document).content, wide=WIDE)
    store_verbatim(old, street.ana.person, exact, kind)
    assert street.ana.put(f"{today}/", {"attributes": document}).status == 201
    assert street.ana.get(f"{label}/").json["attributes"] == street.ana.get(f"{today}/").json["attributes"] == stored
    assert [event.type for event in store.read_stream(street.id, label_stream(old, _set(street)))][:1] == [
        "LabelDocumentSet"
    ]
    sensors = [""] if kind != "multisensor-sequence" else ["?sensor=0"]
    assert nameless(street.ana.get(f"{label}/tracks/").json) == nameless(street.ana.get(f"{today}/tracks/").json)
    for query in sensors:
        also = "&" if query else "?"
        for more in ("", "keyframes=only", "from=1&to=2"):
            path = f"/frames/{query}{also if more else ''}{more}"
            one, two = street.ana.get(label + path), street.ana.get(today + path)
            assert (one.status, one.json) == (two.status, two.json)


def _set(street: Any) -> uuid.UUID:
    return LabelSet.objects.get(dataset_id=street.id, name="ground-truth").id


def test_ids_that_were_read_before_the_first_change_name_the_tracks_after_it(make_desk, store_verbatim):
    desk = make_desk(frames=5)
    store_verbatim(desk.sample, desk.ana, WALK, "image-vector-sequence")
    kind: Any = task_type("image-vector-sequence")
    seen = {track["track_id"]: key for key, track in tracks_of(kind.opened(desk.found.state)[0]).items()}
    desk.edit({"op": "set_status", "verb": "submit"})
    assert values.same(desk.found.state.document, WALK), "a status opens nothing"
    assert {track["track_id"]: key for key, track in tracks_of(kind.opened(desk.found.state)[0]).items()} == seen
    desk.edit({"op": "move_keyframe", "track": seen[1], "frame": 2, "to": 3})
    assert tracks_of(desk.found.state).keys() == set(seen.values())
    assert desk.types() == [
        "LabelDocumentSet",
        "LabelStatusChanged",
        "LabelStatusChanged",
        "TracksImported",
        "KeyframeMoved",
    ]
    before = queries.label_at(desk.log, desk.found.state.stream, desk.found.state.last_offset - 2)
    assert values.same(kind.render(before), WALK)


def test_two_people_open_one_old_label_at_once_and_both_succeed_on_different_tracks(make_desk, store_verbatim):
    desk = make_desk(frames=5)
    store_verbatim(desk.sample, desk.ana, WALK, "image-vector-sequence")
    version = desk.found.state.version
    desk.edit({"op": "move_keyframe", "track": 1, "frame": 2, "to": 3}, version=version)
    done = desk.edit({"op": "set_remove_keyframe", "track": 2, "frame": 2}, by=desk.ben, version=version)
    assert done.rebased and desk.types().count("TracksImported") == 1
    with pytest.raises(Conflict) as conflict:
        desk.edit({"op": "set_keyframe", "track": 1, "frame": 3, "attributes": {}}, by=desk.ben, version=version)
    assert not any(name == "label" for name in conflict.value.touched)


def test_a_document_that_was_made_of_an_old_label_is_put_on_top_of_who_opened_it(make_desk, store_verbatim):
    desk = make_desk(frames=5)
    store_verbatim(desk.sample, desk.ana, WALK, "image-vector-sequence")
    version = desk.found.state.version
    desk.edit({"op": "move_keyframe", "track": 1, "frame": 2, "to": 3}, version=version)
    changed = frames(
        [box(0, keyframe=True), box(5, 2)],
        [box(1), box(5, 2)],
        [box(2, keyframe=True), box(5, 2)],
        [box(2), box(9, 3)],
        [box(2)],
    )
    done = desk.save(changed, by=desk.ben, version=version)
    assert done.rebased and desk.types().count("TracksImported") == 1
    one = next(track for track in tracks_of(desk.found.state).values() if track["track_id"] == 1)
    assert sorted(one["entries"]) == ["0", "3"], "what the other did is still there"
    assert {track["track_id"] for track in tracks_of(desk.found.state).values()} == {1, 2, 3}

"""What holds for every label and every list of edits: on the rules with many examples, on the database with few."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labeling import events as e
from labeling.commands import labels as commands
from labeling.errors import PalimpsestError
from labeling.log import rebuild, store, values
from labeling.log.event import Event, Fact, Intent
from labeling.log.values import BadValue
from labeling.log.verify import verify_log
from labeling.queries import labels as queries
from labeling.rules import label_state
from labeling.rules.fold import Place
from labeling.rules.label_state import LabelState
from labeling.rules.task_types import task_type
from labeling.rules.touched import overlap, touched
from tests.support import edits as make
from tests.support.installation import is_full

JSON = dict[str, Any]
VECTOR = task_type("vector")

few = settings(max_examples=80 if is_full() else 6)


def edited(state: LabelState, edits: Sequence[JSON], **keywords: Any) -> LabelState:
    editor = make.editor_of(state, **keywords)
    editor.run(edits)
    return editor.state


def told(state: LabelState, facts: Sequence[Fact]) -> LabelState:
    """The state after these facts."""
    after = state.copied()
    for fact in facts:
        label_state.evolve(after, fact, Place(make.ANA, "infinity", 0, after.version + 1))
    return after


def saved(state: LabelState, document: JSON) -> tuple[LabelState, list[Fact]]:
    """What saving a document makes of the state, and its facts."""
    parsed = VECTOR.parse(document, "attributes")
    if not state.exists:
        facts = VECTOR.first(state, parsed, "LABELED", None, None)
    else:
        facts = VECTOR.changes(state, parsed).facts
    return told(state, facts), facts


def stored(document: JSON) -> Any:
    """The document after a trip over the wire."""
    return values.parse(orjson.dumps(document))


def shown(state: LabelState, *, new: bool = True) -> JSON:
    """What a reader of the document sees; without the ids of objects, which a document cannot give."""
    document = VECTOR.render(state)
    drop = {"uuid", "category"} if new else {"category"}
    return document | {
        "annotations": [
            {key: value for key, value in item.items() if key not in drop} for item in document["annotations"]
        ]
    }


def content(state: LabelState, *, numbered: bool = True) -> JSON:
    """All of a state but when and by whom; `numbered` leaves in the ids and orders of its objects."""
    leave = {"version", "last_offset", "by"} | (set() if numbered else {"id", "order"})
    return {
        "annotations": {
            key: {name: value for name, value in item.items() if name not in leave}
            for key, item in state.annotations.items()
        },
        "scene": state.scene,
        "status": state.status,
        "score": state.score,
        "classifications": state.classifications,
        "default": state.default_classification,
        "mask": state.mask,
    }


# --- a document save and a list of edits ---------------------------------------------------------------------------


@given(st.data())
def test_any_list_of_edits_folds_to_what_saving_its_document_gives(data):
    before = data.draw(make.labels(make.DOCUMENT_OPS, shapes=make.shown_geometries))
    edits = data.draw(make.edit_lists(before, make.DOCUMENT_OPS, shapes=make.shown_geometries))
    after = edited(before, edits)
    document = stored(VECTOR.render(after))
    by_document, _ = saved(before, document)
    assert shown(by_document) == shown(after)
    kept = before.annotations.keys() & after.annotations.keys()
    assert kept == before.annotations.keys() & by_document.annotations.keys(), "what was there is the same object"


@given(st.data())
def test_a_document_of_every_shape_says_the_whole_label_to_an_empty_one(data):
    label = data.draw(make.labels(make.DOCUMENT_OPS, shapes=make.shown_geometries))
    copied, _ = saved(make.empty_label(), stored(VECTOR.render(label)))
    assert shown(copied) == shown(label)


@given(make.labels())
def test_saving_what_was_read_appends_nothing(label):
    assume(label.exists)
    after, facts = saved(label, stored(VECTOR.render(label)))
    assert facts == [] and after == label


@given(make.documents(), make.documents())
def test_saving_the_same_document_twice_appends_nothing(first, second):
    state, _ = saved(make.empty_label(), first)
    assert saved(state, copy.deepcopy(first))[1] == []
    state, _ = saved(state, second)
    assert saved(state, copy.deepcopy(second))[1] == []


@given(make.documents(), make.documents())
def test_a_saved_document_is_read_back_as_it_was_sent(first, second):
    state, _ = saved(saved(make.empty_label(), first)[0], second)
    read = VECTOR.render(state)
    for sent, back in zip(second["annotations"], read["annotations"], strict=True):
        for key, value in sent.items():
            if key == "attributes" and value is None:
                assert key not in back
            else:
                assert values.same(back[key], value)
    assert values.same(read.get("image_attributes"), second.get("image_attributes"))


# --- the fold and its rows -----------------------------------------------------------------------------------------


def events_of(state: LabelState, facts: Sequence[Fact]) -> list[Event]:
    return [
        Event(
            log=make.DATASET,
            stream=make.STREAM,
            version=state.version + number,
            fact=fact,
            intent=Intent(author=make.ANA),
            event_id=uuid.uuid4(),
            app_version="0",
            offset=state.version + number,
        )
        for number, fact in enumerate(facts, 1)
    ]


@given(st.data())
@pytest.mark.parametrize("has_mask", [False, True])
def test_the_rows_written_step_by_step_are_those_of_the_whole_fold(has_mask, data):
    pixels = make.Pixels()
    ops = make.MASK_OPS if has_mask else make.ALL_OPS
    table: dict[str, dict[Any, JSON]] = {"labeling_label": {}, "labeling_annotation": {}}
    history: list[Event] = []
    state = make.empty_label()
    for _ in range(data.draw(st.integers(1, 4))):
        edits = data.draw(make.edit_lists(state, ops, has_mask=has_mask, pixels=pixels))
        facts = list(make.editor_of(state, has_mask=has_mask, pixels=pixels).run(edits).facts)
        if data.draw(st.integers(0, 5)) == 0:
            facts.append(e.LabelDeleted())
        events = events_of(state, facts)
        after = label_state.fold(state, events)
        written = label_state.difference(state, after)
        for name, keys in written.out.items():
            for key in keys:
                del table[name][key]
        for name, rows in written.put.items():
            table[name].update({row.get("key", row["id"]): row for row in rows})
        history += events
        state = after
    whole = label_state.difference(make.empty_label(), label_state.fold(make.empty_label(), history))
    for name, live in table.items():
        assert {row.get("key", row["id"]): row for row in whole.put.get(name, [])} == live


@given(st.data())
def test_the_facts_of_an_edit_list_tell_all_that_it_did(data):
    state = data.draw(make.labels())
    editor = make.editor_of(state)
    outcome = editor.run(data.draw(make.edit_lists(state)))
    assert told(state, outcome.facts) == editor.state
    stored_facts = [type(fact)(**stored(values.parse(orjson.dumps(_plain(fact))))) for fact in outcome.facts]
    assert told(state, stored_facts) == editor.state


def _plain(fact: Fact) -> JSON:
    return {name: getattr(fact, name) for name in fact.__struct_fields__}


@given(st.data())
def test_an_edit_list_that_is_run_again_changes_nothing_more(data):
    settled = [op for op in make.ALL_OPS if op not in (*make.MORE_EACH_TIME, "assign_classification")]
    state = data.draw(make.labels())
    edits = data.draw(make.edit_lists(state, settled, most=1))
    assume(edits[0]["op"] in settled)
    once = edited(state, edits)
    assert make.editor_of(once).run(edits).facts == []


# --- two people ----------------------------------------------------------------------------------------------------

#: Raising to the front is said of the others, so it means something else after their edits.
TOGETHER = [op for op in make.OBJECT_OPS if op != "set_order"]


@given(st.data())
def test_edits_of_different_annotations_commute(data):
    state = data.draw(make.labels())
    keys = sorted(state.annotations)
    mine = set(data.draw(st.lists(st.sampled_from(keys), unique=True)) if keys else [])
    # Links of one side may lead to the other's objects from before; removing those is an edit of both.
    assume(
        not any(
            (link["to"] in mine) != (key in mine)
            for key, item in state.annotations.items()
            for link in item.get("links", [])
        )
    )
    first = by_uuid(data.draw(make.edit_lists(state, TOGETHER, only=mine)), state)
    second = by_uuid(data.draw(make.edit_lists(state, TOGETHER, only=set(keys) - mine)), state)
    new = {edit["uuid"] for edit in (*first, *second) if edit["op"] == "add"}
    assume(len(new) == sum(edit["op"] == "add" for edit in (*first, *second)))
    one, other = edited(edited(state, first), second), edited(edited(state, second), first)
    assert content(one, numbered=False) == content(other, numbered=False)
    for key in state.annotations.keys() & one.annotations.keys():
        assert one.annotations[key]["id"] == other.annotations[key]["id"] == state.annotations[key]["id"]
        assert one.annotations[key]["order"] == other.annotations[key]["order"]
    one_facts, other_facts = (make.editor_of(state).run(edits).facts for edits in (first, second))
    ids = {f"id:{number}" for number in range(state.last_id + 1, state.last_id + 20)}
    both = set(overlap([touched(f, state) for f in one_facts], [touched(f, state) for f in other_facts]))
    assert both <= ids, "nobody is refused for what commutes"


def by_uuid(edits: list[JSON], state: LabelState) -> list[JSON]:
    """The same edits, naming every object by its uuid: the number of a new one depends on who came first."""
    editor = make.editor_of(state)
    found = []
    for edit in edits:
        named = {
            key: editor.uuid_of.get(edit[key], edit[key])
            for key in ("annotation", "to")
            if isinstance(edit.get(key), int) and edit["op"] != "set_order"
        }
        found.append(edit | named)
        editor.run([edit])
    return found


#: Edits that undo one another when they meet.
RIVALS = (
    ("set_geometry",),
    ("set_category",),
    ("set_attributes", "clear_attributes"),
    ("set_keypoints", "clear_keypoints"),
    ("set_orientation", "clear_orientation"),
    ("set_order",),
    ("set_score",),
    ("add_link", "remove_link", "remove"),
    ("assign_classification", "remove_classification", "set_default_classification"),
    ("set_status",),
    ("set_scene_attributes",),
    make.ALL_OPS,
)


@pytest.mark.parametrize("ops", RIVALS, ids=[ops[0] for ops in RIVALS[:-1]] + ["all"])
@given(st.data())
def test_facts_that_touch_nothing_in_common_commute(ops, data):
    # One or two objects and one or two edits, so that two people often do meet.
    state = make.editor_of(make.empty_label())
    state.run([{"op": "add", "category_id": 1, "geometry": {"type": "bbox", "points": [[0, 0], [1, 1]]}}] * 2)
    if data.draw(st.booleans()):
        state.run(data.draw(make.edit_lists(state.state, ops, most=2)))
    mine, theirs = (
        make.editor_of(state.state).run(data.draw(make.edit_lists(state.state, ops, most=2))).facts for _ in range(2)
    )
    if overlap([touched(fact, state.state) for fact in mine], [touched(fact, state.state) for fact in theirs]):
        return
    one, other = content(told(told(state.state, mine), theirs)), content(told(told(state.state, theirs), mine))
    # Which of two classifications came first shows in their order, and nowhere else.
    for each in (one, other):
        each["classifications"] = sorted(each["classifications"])
    assert one == other


# --- what is refused -----------------------------------------------------------------------------------------------


def assert_names_a_field(error: Exception, sent: Any) -> None:
    words = str(error)
    assert words and len(words) < 600
    for text in _texts(sent):
        assert text not in words, "the error echoes what was sent"


def _texts(value: Any) -> list[str]:
    """The odd texts in a request, which an error must not repeat."""
    if isinstance(value, dict):
        return [text for item in (*value.values(), *(k for k in value if " " in k)) for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) and any(ord(c) > 127 for c in value) else []


@given(st.data())
def test_broken_edits_are_refused_by_their_field_and_change_nothing(data):
    state = data.draw(make.labels())
    before = copy.deepcopy(state)
    edits = data.draw(make.broken(data.draw(make.edit_lists(state))))
    try:
        make.editor_of(state).run(edits)
    except (PalimpsestError, BadValue) as error:
        assert_names_a_field(error, edits)
    assert state == before


def broken_document(data: Any) -> JSON:
    document = data.draw(make.broken(data.draw(make.documents())))
    return document if isinstance(document, dict) else {"annotations": document}


@given(st.data())
def test_broken_documents_are_refused_by_their_field(data):
    document = broken_document(data)
    state, _ = saved(make.empty_label(), data.draw(make.documents()))
    try:
        after, _ = saved(state, document)
    except (PalimpsestError, BadValue) as error:
        assert_names_a_field(error, document)
    else:
        assert saved(after, document)[1] == [], "what was taken can be taken again"


# --- on the database -----------------------------------------------------------------------------------------------


@pytest.fixture
def bench(dataset, person) -> tuple[uuid.UUID, Any, Any]:
    """A dataset of ana's in which ben may label."""
    ana, ben = person("ana"), person("ben")
    return dataset(ana, labelers=(ben,), reasons_required=[]), ana, ben


def now(sample: uuid.UUID, person: Any) -> queries.Found:
    return queries.find_label(sample, "ground-truth", person=person.id)


class Names:
    """Uuids of one example in the place of those that Hypothesis draws again and again: none is ever used twice."""

    def __init__(self) -> None:
        self._fresh: dict[str, str] = {}

    def fresh(self, edits: Any) -> Any:
        """The edits with a uuid of their own for each new object."""
        for edit in edits if isinstance(edits, list) else ():
            if isinstance(edit, dict) and isinstance(edit.get("uuid"), str):
                self._fresh.setdefault(edit["uuid"], str(uuid.uuid4()))
        return self._replaced(edits, self._fresh)

    def drawn(self, value: Any) -> Any:
        """The same with the uuids as they were drawn."""
        return self._replaced(value, {fresh: drawn for drawn, fresh in self._fresh.items()})

    def _replaced(self, value: Any, names: dict[str, str]) -> Any:
        if isinstance(value, dict):
            return {names.get(key, key): self._replaced(item, names) for key, item in value.items()}
        if isinstance(value, list):
            return [self._replaced(item, names) for item in value]
        return names.get(value, value) if isinstance(value, str) else value


@few
@given(data=st.data())
def test_every_state_that_was_live_can_be_had_again(bench, sample, data):
    log, ana, _ = bench
    target = sample(log, ana)
    lived: dict[int, LabelState] = {}
    for _ in range(data.draw(st.integers(2, 5))):
        found = now(target, ana)
        who = ana  # every verb is open to an admin
        common: JSON = {"intent": Intent(author=who.id), "sample": target, "label_set": "ground-truth"}
        match data.draw(st.integers(0, 4)):
            case 0:
                commands.save_label(**common, document=data.draw(make.documents()), create=True, status="LABELED")
            case 1 if found.state.exists:
                commands.delete_label(**common)
            case _:
                commands.edit_label(**common, edits=Names().fresh(data.draw(make.edit_lists(found.state))))
        found = now(target, ana)
        lived[found.head] = found.state
    for offset, state in lived.items():
        assert queries.label_at(log, state.stream, offset) == state
        assert queries.label_at_version(log, state.stream, state.version) == state
    assert rebuild.differences(log) == {}
    assert verify_log(log) == []


@few
@given(data=st.data())
def test_edits_made_at_once_are_rebased_to_the_same_label_in_either_order(bench, sample, data):
    log, ana, ben = bench
    start = data.draw(make.edit_lists(make.empty_label(), ("add",), most=4))
    keys = [edit["uuid"] for edit in start]
    mine = set(data.draw(st.lists(st.sampled_from(keys), unique=True, max_size=3)))
    base = edited(make.empty_label(), start)
    first = by_uuid(data.draw(make.edit_lists(base, TOGETHER, only=mine, most=3)), base)
    second = by_uuid(data.draw(make.edit_lists(base, TOGETHER, only=set(keys) - mine, most=3)), base)
    assume(
        len({edit["uuid"] for edit in (*start, *first, *second) if edit["op"] == "add"})
        == sum(edit["op"] == "add" for edit in (*start, *first, *second))
    )
    ends = []
    for order in (((ana, first), (ben, second)), ((ben, second), (ana, first))):
        names = Names()
        target = sample(log, ana)
        common: JSON = {"sample": target, "label_set": "ground-truth"}
        made = commands.edit_label(intent=Intent(author=ana.id), edits=names.fresh(start), **common)
        seen = commands.Seen(version=made.state.version)
        for who, edits in order:
            commands.edit_label(intent=Intent(author=who.id), edits=names.fresh(edits), seen=seen, **common)
        ends.append(names.drawn(content(now(target, ana).state, numbered=False)))
    assert ends[0] == ends[1]


@few
@given(data=st.data())
def test_every_error_leaves_the_log_and_the_rows_unchanged(bench, sample, data):
    log, ana, _ = bench
    target = sample(log, ana)
    common: JSON = {"sample": target, "label_set": "ground-truth"}
    start = Names().fresh(data.draw(make.edit_lists(make.empty_label(), ("add",))))
    commands.edit_label(intent=Intent(author=ana.id), edits=start, **common)
    for _ in range(6):
        before = now(target, ana)
        head = store.head_and_chain(log)
        try:
            if data.draw(st.booleans()):
                edits = data.draw(make.broken(data.draw(make.edit_lists(before.state))))
                commands.edit_label(intent=Intent(author=ana.id), edits=Names().fresh(edits), **common)
            else:
                document = broken_document(data)
                commands.save_label(intent=Intent(author=ana.id), document=document, **common)
        except (PalimpsestError, BadValue):
            assert store.head_and_chain(log) == head
            assert now(target, ana).state == before.state
        else:
            assert store.head(log) - head[0] == now(target, ana).state.version - before.state.version
    assert verify_log(log) == []


@few
@given(data=st.data())
def test_a_document_that_is_kept_verbatim_is_read_back_whole(dataset, person, sample, data):
    ana = person("ana")
    log = dataset(ana, "image-vector-sequence", reasons_required=[])
    target = sample(log, ana)
    odd = data.draw(st.lists(make.json_values, max_size=3))
    document = {"frames": [{"annotations": [], "odd": item} for item in odd], "more": data.draw(make.json_values)}
    common: JSON = {"sample": target, "label_set": "ground-truth", "document": document, "create": True}
    commands.save_label(intent=Intent(author=ana.id), **common)
    assert values.same(task_type("image-vector-sequence").render(now(target, ana).state), document)
    head = store.head(log)
    commands.save_label(intent=Intent(author=ana.id), **common)
    assert store.head(log) == head, "the same document again appends nothing"
    assert verify_log(log) == []


@few
@given(data=st.data())
def test_a_retry_of_any_command_changes_nothing(bench, sample, data):
    log, ana, _ = bench
    target = sample(log, ana)
    for _ in range(3):
        intent = Intent(author=ana.id, request_hash=b"the request")
        edits = Names().fresh(data.draw(make.edit_lists(now(target, ana).state)))
        first, again = (
            commands.edit_label(intent=intent, sample=target, label_set="ground-truth", edits=edits) for _ in range(2)
        )
        assert again.replayed and not first.replayed
        assert (again.offset, again.results, again.created) == (first.offset, first.results, first.created)
        assert again.state == now(target, ana).state and again.state.version == first.state.version

"""Change the frames of a sample, with what its labels and issues say of them: one command, one append."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from labeling import events as e
from labeling.commands import assets
from labeling.commands.labels import Seen
from labeling.commands.safeguards import require_reason_in
from labeling.commands.writing import decide, earlier, hint
from labeling.errors import Conflict, Refused, VersionUnknown
from labeling.log import store
from labeling.log.event import Fact, Intent
from labeling.log.rows import Rows
from labeling.models import Issue, Label, LabelSet
from labeling.queries import labels as label_queries
from labeling.queries import samples as queries
from labeling.queries.issues import state_of as issue_of
from labeling.rules import access, dataset_state, issue_state, label_state, sample_frames, sample_state
from labeling.rules.label_ids import label_stream
from labeling.rules.label_state import LabelState
from labeling.rules.sample_state import SampleState, asset_rows
from labeling.rules.task_types import task_type
from sequences.rules.frame_edits import FrameEditor, Sequence, moved_anchor
from sequences.rules.rearranging import rearranged
from sequences.rules.skeletons import skeleton_of
from sequences.task_types import SequenceTask

JSON = dict[str, Any]


@dataclass(slots=True)
class Changed:
    """What the command did: the sample's version, for each edit where its frame is, and what became of the labels."""

    dataset: uuid.UUID
    version: int
    offset: int
    edits: list[JSON] = field(default_factory=list)
    labels: list[JSON] = field(default_factory=list)  #: {labelset, version, keyframes, removed_tracks} of those changed


def change_frames(*, intent: Intent, sample: uuid.UUID, edits: Any, seen: Seen | None = None) -> Changed:
    """Append, insert, move and remove frames, and set their times; the sample's labels and issues go along with them.

    What that does to tracks is in `rules.rearranging`. Where a client says which version of the sample it saw, the
    numbers of its frames are those of then.

    Raises:
        NotFound, NotPermitted: the author may not change samples here.
        InvalidValue: the first edit that does not fit; nothing was stored.
        Conflict: since the version seen, somebody changed the frames.
        VersionUnknown: the sample has not reached the version seen.
        Refused: labels of this task type do not follow frames.
        Busy: others were faster every time.
    """

    def attempt() -> Changed:
        found = queries.find_sample(sample, person=intent.on_behalf_of or intent.author)
        access.require("change", role=found.role, public=found.public, dataset=found.dataset)
        replay = earlier(found.dataset, intent)
        if replay is not None:
            return Changed(found.dataset, offset=replay.last_offset, **replay.answer)
        if not isinstance(task_type(found.task_type), SequenceTask):
            raise Refused("The labels of this dataset do not follow frames; PATCH the sample instead.")
        state = queries.state_of(found.sample)
        _refuse_missed(state, seen or Seen())
        editor = FrameEditor(state.attributes, found.task_type)
        results = editor.run(edits)
        writing = _Writing(found.dataset, state)
        if editor.facts:
            writing.tell(state, editor.facts)
            files = [fact.frames for fact in editor.facts if isinstance(fact, e.SampleFramesAdded)]
            writing.facts = [*assets.pin_assets(found.dataset, assets.tokens_in({"frames": files})), *writing.facts]
            moved = {
                sensor: sequence
                for sensor, sequence in editor.sequences.items()
                if sequence.order != list(range(sequence.count)) or sequence.timed
            }
            writing.labels(found.task_type, state, moved)
            writing.issues(state, moved)
        version = state.version + len(editor.facts)
        changed = Changed(found.dataset, version, 0, results, writing.told)
        answer = {"version": version, "edits": results, "labels": writing.told}
        changed.offset = writing.append(intent, answer).last_offset if writing.facts or intent.replayable else 0
        changed.offset = changed.offset or store.head(found.dataset)
        return changed

    return decide(attempt)


def _refuse_missed(state: SampleState, seen: Seen) -> None:
    """Refuse numbers of frames that are not those of now."""
    if seen.absent:
        raise VersionUnknown("There is a sample already; If-None-Match asks for none.")
    if seen.version is None or seen.version == state.version:
        return
    if seen.version > state.version:
        raise VersionUnknown("If-Match names a version that this sample has not reached; read the sample again.")
    for event in store.read_stream(state.dataset, state.stream, after_version=seen.version):
        fact = event.fact
        if isinstance(fact, e.FRAME_EVENTS) or (isinstance(fact, e.SampleChanged) and "attributes" in fact.changes):
            offset = (event.offset or 1) - 1
            missed = f"/samples/{state.id}/history/?after={offset}"
            raise Conflict(state.stream, seen.version, ["frames"], what="sample", missed=missed)


class _Writing:
    """The facts of one append, over the streams of a sample, its labels and its issues, with their rows."""

    def __init__(self, dataset: uuid.UUID, sample: SampleState) -> None:
        self.dataset = dataset
        self.facts: list[tuple[str, int, Fact]] = []
        self.states: dict[str, SampleState | LabelState | issue_state.IssueState] = {sample.stream: sample}
        self.expected: dict[str, int] = {sample.stream: sample.version}
        self.told: list[JSON] = []

    def tell(self, state: Any, facts: list[Fact]) -> None:
        self.states[state.stream] = state
        self.facts += [(state.stream, state.version, fact) for fact in facts]

    def labels(self, kind_name: str, sample: SampleState, moved: dict[int | None, Sequence]) -> None:
        """What becomes of each label; where there is none, there must be none by then either."""
        kind = task_type(kind_name)
        assert isinstance(kind, SequenceTask)
        self.expected[dataset_state.STREAM] = store.version(self.dataset, dataset_state.STREAM)
        names = {row.id: row.name for row in LabelSet.objects.filter(dataset_id=self.dataset)}
        for key in names:
            self.expected[label_stream(sample.id, key)] = 0
        for row in Label.objects.filter(sample_id=sample.id, deleted=True):
            self.expected[label_stream(sample.id, row.label_set_id)] = row.version
        there = Label.objects.filter(sample_id=sample.id, deleted=False).values_list("label_set_id", flat=True)
        for key in sorted(there):
            found = label_queries.labels_of_samples(
                [sample.id], key, names.get(key, ""), dataset=self.dataset, task_type=kind_name, full=True
            ).get(sample.id)
            if found is None:
                raise store.Stale  # deleted just now
            self.expected[found.state.stream] = found.state.version
            self._label(kind, found.state, names.get(key, ""), sample, moved)

    def _label(
        self,
        kind: SequenceTask,
        state: LabelState,
        name: str,
        sample: SampleState,
        moved: dict[int | None, Sequence],
    ) -> None:
        if state.document is None:
            return
        now, facts = kind.opened(state)
        opening = len(facts)
        told: JSON = {"labelset": name, "keyframes": [], "removed_tracks": []}
        for sensor, sequence in moved.items():
            own = _own_sensor(now, sample.attributes, sensor)
            if sensor is None or own is not None:
                done = rearranged(now, own, sequence.order, sequence.heads(), sequence.count)
                facts = [*facts, *done.facts]
                told["keyframes"] += done.keyframes
                told["removed_tracks"] += done.removed
        if len(facts) > opening:
            self.tell(state, facts)
            self.told.append(told | {"version": state.version + len(facts)})

    def issues(self, sample: SampleState, moved: dict[int | None, Sequence]) -> None:
        """Let issues point at the frames that they pointed at."""
        for row in Issue.objects.filter(sample_id=sample.id, archived=False).order_by("id"):
            issue = issue_of(row)
            anchor = issue.anchor
            for sensor, sequence in moved.items():
                if anchor is not None and (
                    sensor is None or anchor.get("sensor") == sample_frames.name_of(sample.attributes, sensor)
                ):
                    anchor = moved_anchor(anchor, sequence)
            if anchor != issue.anchor:
                self.tell(issue, [e.IssueAnchorSet(anchor=anchor)])

    def append(self, intent: Intent, answer: JSON) -> store.Appended:
        require_reason_in(self.dataset, intent, [fact for _, _, fact in self.facts])
        events = store.new_events(self.dataset, intent, self.facts)
        rows = Rows()
        by_stream: dict[str, list[Any]] = {}
        for event in events:
            by_stream.setdefault(event.stream, []).append(event)
        for stream, own in by_stream.items():
            state = self.states.get(stream)
            self.expected.setdefault(stream, own[0].version - 1)
            if isinstance(state, LabelState):
                rows.add(label_state.difference(state, label_state.fold(state, own)))
            elif isinstance(state, SampleState):
                rows.add(sample_state.rows(sample_state.fold(state, own)))
            elif state is not None:
                rows.add(issue_state.difference(state, issue_state.fold(state, own)))
            else:
                rows.add(asset_rows(own))
        appended = store.append(
            self.dataset, intent=intent, events=events, rows=rows, expected=self.expected, answer=answer
        )
        if appended.replayed:
            raise store.Stale  # a twin of this request was faster; the next turn answers from what it did
        hint(self.dataset, appended)
        return appended


def _own_sensor(label: LabelState, attributes: JSON, sensor: int | None) -> int | None:
    """The place in a label's document of a sensor of its sample, which has the same name; None where it has none."""
    if sensor is None:
        return None
    name = sample_frames.name_of(attributes, sensor)
    for number, own in enumerate(skeleton_of(label).get("sensors", ())):
        if own.get("name") == name and isinstance(own.get("attributes"), dict):
            return number
    return None

"""Labelers, an actor and readers at once: whatever is read, is what its version says."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections

from labeling.commands import datasets
from labeling.errors import Busy, Conflict
from labeling.log import projector, rebuild
from labeling.log.event import Intent
from labeling.queries import labels as queries
from labeling.rules.label_state import LabelState
from sequences.projectors import Frames
from sequences.queries.frames import lines_of_label
from sequences.rules.dense import frame_texts
from sequences.rules.skeletons import frames_of, skeleton_of
from tests.sequences.conftest import NAME, Desk
from tests.sequences.support import bbox
from tests.sequences.test_projectors import shown, slow_text
from tests.support.installation import is_full

TRACKS = 4
EDITS = 150 if is_full() else 25


def test_no_reader_sees_a_frame_of_another_version(committed_db, make_desk, tell):
    desk: Desk = make_desk(frames=40)
    desk.edit(*({"op": "add_track", "frame": 0, "geometry": bbox(n, 0, 20, 30)} for n in range(TRACKS)))
    over = threading.Event()
    failures: list[BaseException] = []
    read: list[tuple[int, bytes]] = []
    taken = [0]

    def guarded(action: Any) -> threading.Thread:
        def run() -> None:
            try:
                action()
            except BaseException as error:  # told in the main thread
                failures.append(error)
            finally:
                connections.close_all()

        return threading.Thread(target=run)

    def label(number: int) -> None:
        for turn in range(EDITS):
            frame = (7 * turn + number) % 40
            edit = {"op": "set_keyframe", "track": number, "frame": frame, "geometry": bbox(turn % 19, number, 20, 30)}
            while True:
                try:
                    desk.edit(edit, by=desk.ben if number % 2 else desk.ana)
                    break
                except Busy:  # nothing was stored; on a machine with much else to do
                    continue

    def act() -> None:
        while not over.is_set():
            projector.bring_up("frames", desk.log, most=10**9)
            taken[0] += 1

    def look() -> None:
        while not over.is_set() or len(read) < 5:
            state = queries.find_label(desk.sample, NAME, person=desk.ana.id, ids=[]).state
            lines = lines_of_label(state, None, 5, 35)
            if lines is not None:
                heads = frames_of(skeleton_of(state), None)[5:35]
                read.append((state.version, b"".join(frame_texts(heads, lines, 5))))

    labelers = [guarded(lambda number=number: label(number)) for number in range(1, TRACKS + 1)]
    others = [guarded(act), guarded(look)]
    for thread in (*others, *labelers):
        thread.start()
    for thread in labelers:
        thread.join()
    over.set()
    for thread in others:
        thread.join()
    assert not failures, failures
    stream = desk.found.state.stream
    states: dict[int, LabelState] = {}
    for version, text in read[:: max(len(read) // 100, 1)]:
        if version not in states:
            states[version] = queries.label_at_version(desk.log, stream, version)
        assert text == slow_text(states[version], 5, 35), version
    projector.catch_up(desk.log)
    assert rebuild.compared_catch_up(Frames(), desk.log) == {}
    tell(f"{TRACKS * EDITS} edits, {len(read)} reads of {len({version for version, _ in read})} versions, none stale;"
         f" the actor came {taken[0]} times")  # fmt: skip


@pytest.mark.parametrize("role", ["reviewer", "manager"])
def test_a_labeler_and_who_reviews_edit_different_tracks_at_once_and_one_keyframe_one_of_them(
    committed_db, make_desk, person, role
):
    desk: Desk = make_desk()
    rea = person(f"rea-{role}")
    datasets.add_member(intent=Intent(author=desk.ana.id), dataset=desk.log, person=rea.id, role=role)
    desk.edit(*({"op": "add_track", "frame": 0, "geometry": bbox(n, 0, 20, 30)} for n in range(2)))
    version = desk.found.state.version

    def together(*edits: Any) -> list[str]:
        """What became of two edits, the one of the labeler, the other of who reviews, made against the same version."""
        start, became = threading.Barrier(2), ["", ""]

        def run(place: int, by: Any) -> None:
            start.wait()
            try:
                desk.edit(edits[place], by=by, version=version)
                became[place] = "done"
            except Conflict as error:
                became[place] = f"conflict since {error.since} at {error.touched[0].rpartition('/')[2]}"
            finally:
                connections.close_all()

        threads = [threading.Thread(target=run, args=pair) for pair in enumerate((desk.ben, rea))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(became)

    def at(track: int, frame: int) -> dict[str, Any]:
        return {"op": "set_keyframe", "track": track, "frame": frame, "geometry": bbox(track, frame, 40, 50)}

    assert together(at(1, 5), at(2, 5)) == ["done", "done"]
    assert together(at(1, 7), at(1, 8)) == ["done", "done"]
    assert together(at(1, 9), at(1, 9) | {"geometry": bbox(3, 3, 4, 4)}) == [f"conflict since {version} at 9", "done"]
    projector.bring_up("frames", desk.log, most=10**9)
    assert shown(desk) == slow_text(desk.found.state, 0, None)

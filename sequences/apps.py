"""Sequences' plugs: event types, the rows of tracks, their dense frames, and the task types that are made of them."""

from __future__ import annotations

from dataclasses import replace

from django.apps import AppConfig


class SequencesConfig(AppConfig):
    """Tracks, keyframes, and what is computed between them."""

    name = "sequences"

    def ready(self) -> None:
        from labeling.audit import scenes
        from labeling.log import projector
        from labeling.reports import catalogue
        from labeling.rules import parts, task_types
        from sequences import telling, words  # noqa: F401 - which tell the words for our events
        from sequences.projectors import CATCH_UPS
        from sequences.reports import KEYFRAMES
        from sequences.rules import pictured, track_state
        from sequences.task_types import TASK_TYPES

        parts.register(track_state.TRACKS)
        scenes.plug(track_state.TRACKS.name, pictured.frame_of_change)
        label = projector.kind_of("label/")
        assert label is not None, "labeling is ready before us"
        projector.register_kind(replace(label, tables=label.tables | {track_state.TABLE: "dataset_id"}))
        for catch_up in CATCH_UPS:
            projector.register_catch_up(catch_up)
        catalogue.register(KEYFRAMES)
        for task_type in TASK_TYPES:
            task_types.register(task_type)

"""The app of sequences. Until it has its own model, their labels are kept verbatim by labeling's task types."""

from django.apps import AppConfig


class SequencesConfig(AppConfig):
    """Tracks and keyframes."""

    name = "sequences"

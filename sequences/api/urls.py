"""The addresses of tracks and frames."""

from __future__ import annotations

from django.urls import URLPattern

from labeling.api.urls import both
from sequences.api.sample_frames import SampleFramesView
from sequences.api.tracks import FramesView, InterpolateView, TracksView

urlpatterns: list[URLPattern] = [
    both("labels/<sample>/<label_set>/tracks", TracksView, "label-tracks"),
    both("labels/<sample>/<label_set>/frames", FramesView, "label-frames"),
    both("samples/<sample>/frames", SampleFramesView, "sample-frames"),
    both("interpolate", InterpolateView, "interpolate"),
]

"""Tracks, keyframes and interpolation over the frames of a sequence."""

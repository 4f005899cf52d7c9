"""Codecs, one a file: what a release looks like to other people's programs. Pure; they know states, not models."""

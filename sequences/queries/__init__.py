"""The reads of sequences."""

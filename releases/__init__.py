"""Frozen snapshots of a dataset, their exports, and differences between them."""

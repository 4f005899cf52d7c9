"""Datasets, samples, labels and the log beneath them."""

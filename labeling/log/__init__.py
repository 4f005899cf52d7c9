"""The log: immutable events, in order, with what is computed from them. Knows nothing of labels."""

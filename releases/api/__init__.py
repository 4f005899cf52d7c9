"""The REST API of releases: the protocol's, and their files."""

"""The REST API: the Segments.ai protocol at the URL root, and our own endpoints beside it in the same style."""

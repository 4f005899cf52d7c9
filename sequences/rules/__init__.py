"""The rules of sequences: what a track shows at a frame, what facts do to it, documents and edits. Pure."""

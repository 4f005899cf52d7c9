"""What the bitmap of a sent document changes: nothing, some objects' pixels, or what others painted since as well."""

from __future__ import annotations

from typing import Any

import numpy as np

from labeling import events as e
from labeling.commands.assets import MEDIA, MaskFiles
from labeling.errors import Conflict
from labeling.geometry import bitmaps
from labeling.rules.documents import Document
from labeling.rules.label_state import LabelState

JSON = dict[str, Any]


def sent_mask(document: Document, files: MaskFiles) -> JSON:
    """The bitmap of an uploaded document. One of another host is kept as it was sent; its pixels are not fetched."""
    url = document.mask_url
    if url is None or not url.startswith(MEDIA):
        return {"url": url}
    return files.known(url, "attributes.segmentation_bitmap.url")


def mask_change(
    state: LabelState, base: LabelState | None, document: Document, files: MaskFiles
) -> e.BitmapPatched | None:
    """The patch that a sent bitmap means, merged with what others painted since the client saw it.

    Raises:
        Conflict: both painted the same pixels differently.
    """
    before = (base if base is not None else state).mask or {}
    current = state.mask or {}
    if document.mask_url in (before.get("url"), current.get("url")):
        return None
    sent = sent_mask(document, files)
    if sent.get("hash") is not None and sent["hash"] == before.get("hash"):
        return None
    was = files.read(current) if current.get("hash") else None
    now = files.read(sent) if sent.get("hash") else None
    if base is not None and current.get("url") != before.get("url"):
        if was is None or now is None or (before.get("url") and not before.get("hash")):
            raise Conflict(state.stream, base.version, ["pixels"])  # pixels that we do not know cannot be merged
        at_base = files.read(before) if before.get("hash") else np.zeros_like(was)
        if not at_base.shape == was.shape == now.shape:
            raise Conflict(state.stream, base.version, ["pixels"])
        merged, clash = bitmaps.merge(at_base, now, was)
        if clash.any():
            raise Conflict(state.stream, base.version, ["pixels"])
        if (merged != now).any():
            now, sent = merged, files.keep(merged)
    changed = _changed_pixels(was, now)
    if was is not None and now is not None and not changed:
        return None
    return e.BitmapPatched(base_hash=current.get("hash"), mask=sent, changed=changed)


def _changed_pixels(was: np.ndarray | None, now: np.ndarray | None) -> list[JSON]:
    """Which objects gained or lost pixels; None is a bitmap that is not there, or lies on another host."""
    if now is None:
        now = None if was is None else np.zeros_like(was)
    elif was is not None and was.shape != now.shape:
        was = None
    return [] if now is None else [{**item} for item in bitmaps.changed(was, now)]

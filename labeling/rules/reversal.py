"""Putting back what some events did, without taking what others did since: three states in, facts out. Pure.

`then` is the label before those events, `left` behind them, `now` today. What they changed becomes again what it was
`then`, field by field, where it is still as they left it; where it is not, somebody built on it, and that is an
obstacle. Attributes, links, keys of the scene, classifications, what an app above keeps by key, and pixels are
compared one by one; a geometry, and anything else, as a whole. So no event type needs an inverse of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labeling import events as e
from labeling.geometry import bitmaps
from labeling.log import values
from labeling.log.event import Fact
from labeling.rules import label_state, parts
from labeling.rules.edits.editor import Pixels
from labeling.rules.fold import NOW, Moment, Place
from labeling.rules.label_state import LabelState

JSON = dict[str, Any]
Path = tuple[str, ...]
#: (kind of piece, uuid) → the piece without its stamps
Pieces = dict[tuple[str, str], JSON]

OBJECT = "annotation"
#: Who changed a piece last, and when: never put back, because that is who put it back.
STAMPS = frozenset({"version", "by", "last_offset"})
MAPPED = ("attributes",)
HEADER = ("score", "default_classification", "document", "status")


class _Gone:
    """What is not there."""

    def __repr__(self) -> str:
        return "GONE"


GONE = _Gone()


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands in the way: `path` names what somebody else changed since, or what the past would not fit to."""

    path: Path
    why: str  #: changed, linked, painted, number, link, invalid, other_host
    then: Any = None
    now: Any = None

    @property
    def name(self) -> str:
        """As names of what is touched are written: `annotation:<uuid>`, `track:<uuid>`, or a field of the label."""
        return f"{self.path[0]}:{self.path[1]}" if len(self.path) > 1 and self.path[0] != "label" else self.path[-1]


@dataclass(slots=True)
class Reversal:
    """Puts back stretches of a label's events, the newest first, on a working copy of the state.

    `force` takes the past where something stands in the way; otherwise that is left as it is. `may_set` says whether
    the author may bring about a status; one that they may not stays as it is, which is told in `kept`.
    """

    state: LabelState
    author: uuid.UUID
    pixels: Pixels
    may_set: Callable[[str], bool] = lambda status: True
    force: bool = False
    facts: list[Fact] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def tell(self, fact: Fact) -> None:
        """One fact: kept, and seen by what follows."""
        self.facts.append(fact)
        label_state.evolve(self.state, fact, Place(self.author, NOW, 0, self.state.version + 1))

    def put_back(self, then: LabelState, left: LabelState, *, only: str | None = None) -> None:
        """Tell the facts by which what changed from `then` to `left` becomes again what it was; `only` that piece."""
        now = self.state
        pieces = self._fitting(self._pieces(then, left, now, only), then)
        if only is None:
            mask = self._mask(then, left, now, pieces)
            header = self._header(then, left, now, pieces)
            if not then.exists and left.exists and self._is_empty(pieces, header, mask):
                if now.exists:
                    self.tell(e.LabelDeleted())
                return
            self._tell_mask(mask)
            self._tell_pieces(pieces_of(now), pieces)
            self._tell_header(header)
        else:
            self._tell_pieces(pieces_of(now), pieces)
        if self.state.exists and self.state.status == "UNLABELED":
            self.tell(e.LabelStatusChanged(before=None, after="LABELING_IN_PROGRESS", verb="save"))

    def _is_empty(self, pieces: Pieces, header: JSON, mask: JSON | None) -> bool:
        """Whether nothing is left of a label that began with what is put back."""
        said = any(header[name] for name in ("scene", "classifications", "document")) or header["score"] is not None
        painted = bool(mask and (not mask.get("hash") or bitmaps.objects_in(self.pixels.read(mask))))
        return not pieces and not said and not painted and header["status"] == "UNLABELED"

    # --- what it is to be ------------------------------------------------------------------------------------------

    def _merged(self, then: Any, left: Any, now: Any, path: Path, mapped: tuple[int, ...] = ()) -> Any:
        """`then` in the place of what `left` made of it, in `now`. `mapped` are the depths below which keys are told
        apart."""
        if _same(left, now):
            return then
        if _same(then, left) or _same(then, now):
            return now
        sides = (then, left, now)
        if mapped and isinstance(now, dict) and all(side is GONE or isinstance(side, dict) for side in sides):
            one, two = ({} if side is GONE else side for side in (then, left))
            found = {}
            for key in dict.fromkeys((*now, *one)):
                value = self._merged(
                    one.get(key, GONE), two.get(key, GONE), now.get(key, GONE), (*path, key), mapped[1:]
                )
                if value is not GONE:
                    found[key] = value
            return found if found or then is not GONE else GONE
        return self._in_the_way(path, "changed", then, now)

    def _in_the_way(self, path: Path, why: str, then: Any, now: Any) -> Any:
        self.obstacles.append(Obstacle(path, why, _plain(then), _plain(now)))
        return then if self.force else now

    def _pieces(self, then: LabelState, left: LabelState, now: LabelState, only: str | None) -> Pieces:
        """The pieces as they are to be, each merged field by field."""
        changed = changed_pieces(then, left)
        was, made, has = pieces_of(then), pieces_of(left), pieces_of(now)
        found = dict(has)
        for key in sorted(changed if only is None else {key for key in changed if key[1] == only}):
            one, two, three = (side.get(key, GONE) for side in (was, made, has))
            piece: Any
            if isinstance(one, dict) and isinstance(two, dict) and isinstance(three, dict):
                piece = self._piece(key, one, two, three)
            else:
                piece = self._merged(one, two, three, key)
            found.pop(key, None)
            if piece is not GONE:
                found[key] = piece
        return found

    def _piece(self, key: tuple[str, str], then: JSON, left: JSON, now: JSON) -> Any:
        """A piece that is there in all three states."""
        if _same(left, now):
            return then
        if _same(then, left) or _same(then, now):
            return now
        mapped = MAPPED if key[0] == OBJECT else _kind(key[0]).mapped
        found: JSON = {}
        for name in dict.fromkeys((*now, *then)):
            one, two, three = (side.get(name, GONE) for side in (then, left, now))
            if name == "links":
                value = self._links(one, two, three, (*key, name))
            else:
                value = self._merged(one, two, three, (*key, name), (1,) if name in mapped else ())
            if value is not GONE:
                found[name] = value
        settled = _settled(key[0], found)
        if settled is None:
            self._in_the_way((*key,), "invalid", then, now)
            return GONE if self.force and key[0] != OBJECT else now
        return settled

    def _links(self, then: Any, left: Any, now: Any, path: Path) -> Any:
        if _same(left, now):
            return then
        one, two, three = (GONE if side is GONE else {link["to"]: link for link in side} for side in (then, left, now))
        merged = self._merged(one, two, three, path, (1,))
        return GONE if merged is GONE or not merged else list(merged.values())

    def _classes(self, then: list[int], left: list[int], now: list[int]) -> list[int]:
        """Classifications in the order in which they were given, because the oldest follows as the default one."""
        if left == now:
            return then
        kept = [number for number in now if number in then or number not in left]
        return kept + [number for number in then if number not in left and number not in kept]

    def _fitting(self, pieces: Pieces, then: LabelState) -> Pieces:
        """What fits together: links to what is there, numbers that are used once."""
        now = pieces_of(self.state)
        fitting = dict(pieces)
        for key in [key for key in now if key not in fitting]:
            linking = [
                other
                for other, piece in fitting.items()
                if any(link["to"] == key[1] for link in piece.get("links", ()))
            ]
            since = [
                other for other in linking if other not in pieces_of(then) or not _links_to(then, other[1], key[1])
            ]
            if since and self._in_the_way(key, "linked", GONE, now[key]) is not GONE:
                fitting[key] = now[key]
        for key, piece in fitting.items():
            links = piece.get("links")
            if links and any((OBJECT, link["to"]) not in fitting for link in links):
                kept = [link for link in links if (OBJECT, link["to"]) in fitting]
                for link in links:
                    if link not in kept and link not in now.get(key, {}).get("links", ()):
                        self._in_the_way((*key, "links", link["to"]), "link", link, None)
                fitting[key] = {name: value for name, value in piece.items() if name != "links"} | (
                    {"links": kept} if kept else {}
                )
        return self._numbered(fitting, now)

    def _numbered(self, pieces: Pieces, now: Pieces) -> Pieces:
        """Each number once: who has it now keeps it."""
        taken: dict[tuple[Any, ...], tuple[str, str]] = {}
        found: Pieces = {}
        # First those that stay what they are, so that the past gives way to them.
        for key, piece in sorted(pieces.items(), key=lambda item: _number(*item) != _number(item[0], now.get(item[0]))):
            number = _number(key, piece)
            if number in taken:
                field_name = "id" if key[0] == OBJECT else _kind(key[0]).number
                if key in now:
                    self._in_the_way((*key, field_name), "number", number[-1], None)
                    found[key] = piece | {field_name: now[key][field_name]}
                    continue
                if self._in_the_way(key, "number", piece, None) is None:
                    continue
                numbers = [other[-1] for other in taken] + [self.state.last_id]
                piece = piece | {field_name: max(numbers) + 1}
                number = _number(key, piece)
            taken[number] = key
            found[key] = piece
        return {key: found[key] for key in pieces if key in found}

    # --- pixels ------------------------------------------------------------------------------------------------

    def _mask(self, then: LabelState, left: LabelState, now: LabelState, pieces: Pieces) -> JSON | None:
        """The bitmap that is to be; objects that it holds others' pixels of are left in `pieces`, or lose those."""
        was, made, has = then.mask, left.mask, now.mask
        if _same(was, made):
            mask = has
        elif _same(made, has):
            mask = was
        elif _same(was, has):
            mask = has
        elif any(side and side.get("url") and not side.get("hash") for side in (was, made, has)):
            mask = self._in_the_way(("label", "mask"), "other_host", was, has)
        else:
            mask = self._painted(was, made, has)
        return self._without_orphans(mask, has, then, pieces)

    def _painted(self, then: JSON | None, left: JSON | None, now: JSON | None) -> JSON | None:
        known = [self.pixels.read(side) if side and side.get("hash") else None for side in (then, left, now)]
        shape = next(ids.shape for ids in reversed(known) if ids is not None)
        was, made, has = (np.zeros(shape, np.uint32) if ids is None else ids for ids in known)
        if not was.shape == made.shape == has.shape:
            found: JSON | None = self._in_the_way(("label", "mask"), "changed", then, now)
            return found
        merged, clash = bitmaps.merge(made, was, has)
        if clash.any():
            numbers = sorted({int(number) for side in (was, has) for number in np.unique(side[clash])} - {0})
            self._in_the_way(("label", "pixels"), "painted", {"pixels": int(clash.sum()), "ids": numbers}, None)
            if not self.force:
                merged = np.where(clash, has, merged)
        return self._kept(merged, (then, now))

    def _without_orphans(self, mask: JSON | None, now: JSON | None, then: LabelState, pieces: Pieces) -> JSON | None:
        """No pixels of objects that are not there: an object keeps what others painted, or loses it by force."""
        if not mask or not mask.get("hash"):
            return mask
        held = {piece["id"] for key, piece in pieces.items() if key[0] == OBJECT}
        going = {key: piece for key, piece in pieces_of(self.state).items() if key[0] == OBJECT and key not in pieces}
        came = {item["id"] for item in then.annotations.values()} - held
        if not going and (_same(mask, now) or not came):
            return mask
        ids = self.pixels.read(mask)
        there = set(bitmaps.objects_in(ids))
        for key, piece in going.items():
            if piece["id"] in there and piece["id"] not in held and self._in_the_way(key, "painted", None, piece):
                pieces[key] = piece
                held.add(piece["id"])
        orphans = ({piece["id"] for piece in going.values()} | came) - held
        gone = sorted(orphans & there)
        if not gone:
            return mask
        ids = np.where(np.isin(ids, np.array(gone, np.uint32)), np.uint32(0), ids)
        return self._kept(ids, (mask, now))

    def _kept(self, ids: np.ndarray, known: tuple[JSON | None, ...]) -> JSON:
        digest = bitmaps.mask_hash(ids)
        return next((mask for mask in known if mask and mask.get("hash") == digest), None) or self.pixels.keep(ids)

    def _tell_mask(self, mask: JSON | None) -> None:
        now = self.state.mask
        if _same(mask, now):
            return
        if mask and mask.get("hash"):
            after = self.pixels.read(mask)
            before = self.pixels.read(now) if now and now.get("hash") else None
            if before is not None and before.shape != after.shape:
                before = None
            changed: list[JSON] = [{**item} for item in bitmaps.changed(before, after)]
            self.tell(e.BitmapPatched(base_hash=(now or {}).get("hash"), mask=mask, changed=changed))
        else:
            self.tell(e.LabelHeaderRestored(fields={"mask": mask}))

    # --- the label itself ------------------------------------------------------------------------------------------

    def _header(self, then: LabelState, left: LabelState, now: LabelState, pieces: Pieces) -> JSON:
        """The label's own fields as they are to be."""
        was, made, has = (_header_of(state) for state in (then, left, now))
        found = {
            name: self._merged(was[name], made[name], has[name], ("label", name), (1,) * (name == "scene"))
            for name in was
            if name != "classifications"
        }
        found["classifications"] = self._classes(then.classifications, left.classifications, now.classifications)
        if not then.exists:
            found["created"] = has["created"]
        tables = {key[0] for key in pieces} - {OBJECT}
        if not all(_kind(name).stands(found["document"]) for name in tables):
            found["document"] = has["document"]
        if found["status"] not in (has["status"], "UNLABELED") and not self.may_set(found["status"]):
            self.kept.append("status")
            found["status"], found["reviewed"] = (
                has["status"] if now.exists else "LABELING_IN_PROGRESS",
                has["reviewed"],
            )
        return found

    def _tell_header(self, wanted: JSON) -> None:
        """The smallest facts first, and what they could not say at the end."""
        has = _header_of(self.state)
        if wanted["score"] != has["score"]:
            self.tell(e.LabelScoreSet(score=wanted["score"]))
        scene = {
            key: wanted["scene"].get(key)
            for key in dict.fromkeys((*wanted["scene"], *has["scene"]))
            if not _same(wanted["scene"].get(key, GONE), has["scene"].get(key, GONE))
        }
        if scene:
            self.tell(e.SceneAttributesSet(scene=scene))
        for number in has["classifications"]:
            if number not in wanted["classifications"]:
                self.tell(e.ClassificationRemoved(category_id=number))
        for number in wanted["classifications"]:
            if number not in has["classifications"]:
                self.tell(e.ClassificationAssigned(category_id=number))
        if wanted["default_classification"] != has["default_classification"]:
            self.tell(e.DefaultClassificationSet(category_id=wanted["default_classification"]))
        if wanted["status"] != has["status"] and wanted["status"] != "UNLABELED":
            before = self.state.status if self.state.exists else None
            self.tell(e.LabelStatusChanged(before=before, after=wanted["status"], verb="undo"))
        has = _header_of(self.state)
        rest = {
            name: wanted[name]
            for name in ("scene", "classifications", "default_classification", "document", "created", "reviewed")
            if not _same(wanted[name], has[name]) and not (name == "created" and wanted[name] is None)
        }
        if rest:
            self.tell(e.LabelHeaderRestored(fields=rest))

    def _tell_pieces(self, now: Pieces, wanted: Pieces) -> None:
        # What stays first, so that nothing is removed that others still point at.
        for key in sorted(dict.fromkeys((*now, *wanted)), key=lambda key: key not in wanted):
            piece, had = wanted.get(key), now.get(key)
            if key[0] != OBJECT:
                if piece is None or had is None or not _same(piece, had):
                    for fact in _kind(key[0]).restored(key[1], had, piece):
                        self.tell(fact)
            elif piece is None:
                self.tell(e.AnnotationRemoved(annotation=key[1]))
            elif had is None or not _same(piece, had):
                fields = {n: v for n, v in piece.items() if had is None or not _same(v, had.get(n, GONE))}
                cleared = [] if had is None else sorted(had.keys() - piece.keys())
                self.tell(e.AnnotationRestored(annotation=key[1], fields=fields, cleared=cleared))


# --- states as what can be put back --------------------------------------------------------------------------------


def pieces_of(state: LabelState) -> Pieces:
    """All pieces of a label, without who changed them and when."""
    return {
        key: {name: value for name, value in item.items() if name not in STAMPS and name != "uuid"}
        for key, item in _items(state)
    }


def changed_pieces(one: LabelState, other: LabelState) -> set[tuple[str, str]]:
    """The pieces that are not the same in two states; those of one fold share what did not change."""
    ones, others = dict(_items(one)), dict(_items(other))
    return {key for key in {*ones, *others} if ones.get(key) is not others.get(key)}


def piece_of(state: LabelState, kind: str, key: str) -> JSON | None:
    """One piece of a label as the state holds it."""
    return state.annotations.get(key) if kind == OBJECT else state.parts.get(_kind(kind).table, {}).get(key)


def _items(state: LabelState) -> Iterator[tuple[tuple[str, str], JSON]]:
    for key, item in state.annotations.items():
        yield (OBJECT, key), item
    for table, items in state.parts.items():
        name = parts.of_table(table).name
        for key, item in items.items():
            yield (name, key), item


def _header_of(state: LabelState) -> JSON:
    return {
        **{name: getattr(state, name) for name in HEADER},
        "scene": state.scene,
        "classifications": state.classifications,
        "created": _signed(state.created_by, state.created_at),
        "reviewed": _signed(state.reviewed_by, state.reviewed_at),
    }


def _signed(person: uuid.UUID | None, at: Moment | None) -> list[str] | None:
    if person is None or at is None:
        return None
    return [str(person), at if isinstance(at, str) else at.isoformat()]


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    return one is not GONE and other is not GONE and values.same(one, other)


def _plain(value: Any) -> Any:
    return None if value is GONE else value


def _kind(name: str) -> parts.Parts:
    return next(kind for kind in parts.plugged() if kind.name == name)


def _number(key: tuple[str, str], piece: JSON | None) -> tuple[Any, ...]:
    fields = ("id",) if key[0] == OBJECT else _kind(key[0]).unique
    return (key[0], *((piece or {}).get(name) for name in fields))


def _links_to(state: LabelState, source: str, to: str) -> bool:
    return any(link["to"] == to for link in state.annotations.get(source, {}).get("links", ()))


def _settled(name: str, piece: JSON) -> JSON | None:
    """A piece put together of two people's work; None where that is none."""
    if name != OBJECT:
        return _kind(name).settled(piece)
    kind = piece["geometry"]["type"]
    alone = kind == "orientation" and "orientation" not in piece
    misplaced = "keypoints" in piece and kind not in ("bbox", "rbox", "polygon")
    return None if alone or misplaced else piece

"""How a release is kept and to which others it belongs: all that its event says beside what it holds. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

JSON = dict[str, Any]

#: The forms of manifests. 2 has the files that the release refers to, its base, and in whose place it comes.
FORMS = (1, 2)
#: Whether the archive of a release holds the pictures, or the list of them only.
IMAGES = ("referred", "included")
#: How many differences may stand on each other; each has to be read to have the whole.
MOST_BASES = 20


@dataclass(frozen=True, slots=True)
class Named:
    """Another release, by its id and its identity: the second cannot lie."""

    release: uuid.UUID
    identity: str

    @classmethod
    def of(cls, said: JSON | None) -> Named | None:
        return None if said is None else cls(uuid.UUID(said["release"]), said["identity"])

    def as_json(self) -> JSON:
        return {"release": str(self.release), "identity": self.identity}


@dataclass(frozen=True, slots=True)
class Terms:
    """A release's terms, as its event says them."""

    manifest: int = FORMS[-1]
    images: str = IMAGES[0]
    base: Named | None = None
    supersedes: Named | None = None

    def as_json(self) -> JSON:
        """Those that are not what they are unless said."""
        found: JSON = {} if self.manifest == 1 else {"manifest": self.manifest}
        if self.images != IMAGES[0]:
            found["images"] = self.images
        if self.base is not None:
            found["base"] = self.base.as_json()
        if self.supersedes is not None:
            found["supersedes"] = self.supersedes.as_json()
        return found


#: Those of releases from before there were any, and those of new ones of which nothing else is said.
FIRST, NEWEST = Terms(manifest=1), Terms()

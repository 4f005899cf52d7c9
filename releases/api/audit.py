"""The sealed bundle of a dataset over the API."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO

from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.request import Request

from labeling.api.audit import AuditView
from labeling.api.contract import Reply, documented
from labeling.api.requests import number_of
from labeling.api.schemas.forms import TEXT
from labeling.api.schemas.parameters import DATASET_OFFSET, query
from labeling.api.views import Answer
from labeling.audit.asking import OTHERS
from labeling.errors import NotFound
from releases.audit.bundle import NothingToSeal, Range, place_named, seal
from releases.serving import PIECE_BYTES


class BundleView(AuditView):
    """The sealed bundle."""

    @documented(
        "dataset_bundle",
        "audit",
        {200: Reply(TEXT | {"format": "binary"}, (DATASET_OFFSET,), media=("application/zip",))},
        parameters=(
            query("from", "An offset or a time in ISO 8601: only the events from there on.", example="1"),
            query("to", "Only the events up to there; all unless said.", example="41"),
            query("installation_at", "Up to which offset the log of the installation is read.", example="7"),
            query("security_at", "Up to which offset the security log is read.", example="12"),
        ),
        refusals=("busy",),
    )
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """The sealed bundle of a dataset: a ZIP archive of its events, chain, checkpoints, manifests, keys and reports,
        and of the programs that check it: `python3 check_bundle.py FILE`. Reading it is told in the security log."""
        found = self.dataset(owner, name, "audit")
        said = request.query_params
        begin = place_named(found.id, said.get("from"), first=True)
        end = place_named(found.id, said.get("to"), first=False)
        others = {each: number_of(request, f"{each}_at", 0) for each in OTHERS if said.get(f"{each}_at")}
        self.told("bundle", found.id, "zip")
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by what serves it
        try:
            sealed = seal(found.id, file, Range(begin or 1, end, others))
        except NothingToSeal:
            file.close()
            raise NotFound("The events") from None
        except BaseException:
            file.close()
            raise
        file.seek(0)
        last = sealed.index["last_offset"]
        headers = {
            "Dataset-Offset": str(last),
            "Content-Disposition": f'attachment; filename="{name}-{sealed.index["first_offset"]}-{last}.zip"',
        }
        if request.method == "HEAD":
            file.close()
            return HttpResponse(content_type="application/zip", headers=headers)
        return StreamingHttpResponse(_Pieces(file), content_type="application/zip", headers=headers)


class _Pieces:
    """A file in pieces. Django closes it also when nobody took the first piece."""

    def __init__(self, file: IO[bytes]) -> None:
        self.close, self._file = file.close, file

    def __iter__(self) -> Iterator[bytes]:
        try:
            while piece := self._file.read(PIECE_BYTES):
                yield piece
        finally:
            self._file.close()

"""The files of releases, served without a key at addresses that cannot be guessed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.core.files.base import File
from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.requests import uuid_of
from labeling.api.schemas.forms import TEXT, UUID, said
from labeling.api.schemas.parameters import query
from labeling.api.views import Answer, View
from labeling.commands import security
from labeling.errors import NotFound
from labeling.queries.labels import names_of
from releases import commands, files, queries
from releases.api.schemas import RELEASE_FILE
from releases.serving import PIECE_BYTES, pieces


class ReleaseFileView(View):
    """The file of a release."""

    authentication_classes = []
    permission_classes = []

    @documented(
        "release_file",
        "open",
        {200: Reply(RELEASE_FILE)},
        parameters=(
            query("stored", "Where it is there: the bytes of `sha256`, people as ids, references without a host."),
        ),
        path={
            "release": (said(UUID, "The uuid of a release."), "6d0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a11"),
            "token": (said(TEXT, "What cannot be guessed."), "x"),
            "filename": (said(TEXT, "Any name."), "cars-v1.json"),
        },
        refusals=("unavailable",),
    )
    def get(self, request: Request, release: str, token: str, filename: str) -> Answer:
        """The file, with the public address and usernames put in."""
        found_id = uuid_of(release)
        if found_id is None:
            raise NotFound
        found = queries.release_by_id(found_id)
        build = found.build
        if build is None or not files.is_token(token, found_id, build.sha256):
            raise NotFound
        try:
            file = files.read(build.path) if found.is_built else None
        except FileNotFoundError:
            commands.build_again(release=found_id)
            file = None
        if file is None:
            body = {"detail": "The file is being made again. Try again in a moment.", "code": "unavailable"}
            return answer(body, status=503, headers={"Retry-After": "5"})
        headers = {"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*"}
        if request.method == "HEAD":
            file.close()
            return HttpResponse(content_type="application/json", headers=headers)
        try:
            security.downloaded(
                what="release",
                id=found.release.id,
                dataset=found.release.dataset_id,
                sha256=build.sha256,
                address=request.META.get("REMOTE_ADDR", ""),
                # Nobody is asked who they are here; who is logged in is known.
                person=get_user(request._request).pk,
            )
        except Exception:
            file.close()
            raise
        served = Served(file, as_stored="stored" in request.query_params)
        return StreamingHttpResponse(served, content_type="application/json", headers=headers)


class Served:
    """The bytes of a file in pieces. Django closes it also when nobody took the first piece."""

    def __init__(self, file: File[Any], *, as_stored: bool) -> None:
        self.close = file.close
        self._pieces = (
            file.chunks(PIECE_BYTES)
            if as_stored
            else pieces(file, public_url=settings.PUBLIC_URL, usernames=lambda people: names_of({*people}))
        )

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

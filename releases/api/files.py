"""The files of releases, served without a key at addresses that cannot be guessed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.core.files.base import File
from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.authentication import KeyAuthentication
from labeling.api.contract import Reply, documented
from labeling.api.requests import source_of, uuid_of
from labeling.api.schemas.forms import TEXT, UUID, said
from labeling.api.schemas.parameters import query
from labeling.api.views import Answer, View
from labeling.commands import security
from labeling.commands.security import Source
from labeling.errors import NotFound
from labeling.queries.labels import names_of
from releases import bundling, commands, files, queries
from releases.api.schemas.release_files import RELEASE_FILE
from releases.api.schemas.releases import ARCHIVE, ETAG_OF_HASH
from releases.serving import PIECE_BYTES, pieces
from releases.wholes import BaseLost, Whole


def downloader(request: Request) -> tuple[Source, uuid.UUID | None]:
    """(from where, who) fetches a file at an address that needs no key; who is known by a key that came along all the
    same, or where somebody is logged in."""
    source = source_of(request)
    try:
        found = KeyAuthentication().authenticate(request)
    except AuthenticationFailed:
        found = None  # the address is enough
    if found is None:
        return source, get_user(request._request).pk
    person, key = found
    return replace(source, key=key.id, scope=key.scope), person.id


class ReleaseFileView(View):
    """The file of a release."""

    authentication_classes = []
    permission_classes = []

    @documented(
        "release_file",
        "open",
        {200: Reply(RELEASE_FILE)},
        parameters=(
            query(
                "stored",
                "Where it is there: the bytes of `sha256`, people as ids, references without a host; of a difference"
                " only that, or (`whole`) the whole so.",
            ),
        ),
        path={
            "release": (said(UUID, "The uuid of a release."), "6d0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a11"),
            "token": (said(TEXT, "What cannot be guessed."), "x"),
            "filename": (said(TEXT, "Any name."), "cars-v1.json"),
        },
        refusals=("unavailable", "refused"),
    )
    def get(self, request: Request, release: str, token: str, filename: str) -> Answer:
        """The file, with the public address and usernames put in; of a difference the whole that it gives."""
        found_id = uuid_of(release)
        if found_id is None:
            raise NotFound
        found = queries.release_by_id(found_id)
        build = found.build
        if build is None or not files.is_token(token, found_id, build.sha256):
            raise NotFound
        queries.refuse_withheld(found.release)
        stored = request.query_params.get("stored")
        is_whole = stored is None or stored == "whole"
        file: File[Any] | Whole | None = None
        if found.is_built:
            try:
                file = Whole(found.release, build) if is_whole else files.read(build.path)
            except FileNotFoundError:
                commands.build_again(release=found_id)
            except BaseLost as lost:
                commands.build_again(release=lost.release)
        if file is None:
            body = {"detail": "The file is being made again. Try again in a moment.", "code": "unavailable"}
            return answer(body, status=503, headers={"Retry-After": "5"})
        headers = {"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*"}
        if request.method == "HEAD":
            file.close()
            return HttpResponse(content_type="application/json", headers=headers)
        try:
            source, person = downloader(request)
            security.downloaded(
                what="release",
                id=found.release.id,
                dataset=found.release.dataset_id,
                sha256=build.sha256,
                source=source,
                person=person,
            )
        except Exception:
            file.close()
            raise
        served = Served(file, as_stored=stored is not None)
        return StreamingHttpResponse(served, content_type="application/json", headers=headers)


class Served:
    """The bytes of a file in pieces. Django closes it also when nobody took the first piece."""

    def __init__(self, file: File[Any] | Whole, *, as_stored: bool) -> None:
        self.close = file.close
        self._pieces = (
            file.chunks(PIECE_BYTES)
            if as_stored
            else pieces(file, public_url=settings.PUBLIC_URL, usernames=lambda people: names_of({*people}))
        )

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


class ReleaseArchiveView(View):
    """A release as one archive."""

    @documented(
        "release_archive",
        "read",
        {200: Reply(ARCHIVE, (ETAG_OF_HASH,), media=("application/zip",))},
        refusals=("unavailable", "refused"),
    )
    def get(self, request: Request, owner: str, name: str, release: str) -> Answer:
        """Manifest, signature, files, and the pictures if the release was cut to include them, as one ZIP archive;
        `check_release.py` checks it with nothing but Python. 404 until the file is made."""
        found = queries.find_release(self.dataset(owner, name).id, release)
        build = found.build
        if build is None or not found.is_built:
            raise NotFound("The archive")
        queries.refuse_withheld(found.release)
        if not bundling.is_whole(build):
            commands.build_again(release=found.release.id)
            body = {"detail": "The file is being made again. Try again in a moment.", "code": "unavailable"}
            return answer(body, status=503, headers={"Retry-After": "5"})
        headers = {"X-Content-Type-Options": "nosniff", "ETag": f'"{build.identity}"'}
        if request.method == "HEAD":
            return HttpResponse(content_type="application/zip", headers=headers)
        security.downloaded(
            what="archive",
            id=found.release.id,
            dataset=found.release.dataset_id,
            sha256=build.identity,
            source=source_of(request),
            person=self.person,
        )
        return StreamingHttpResponse(bundling.archive(found), content_type="application/zip", headers=headers)

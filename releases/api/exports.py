"""Exports of a release: asked for, looked at, and fetched without a key at addresses that cannot be guessed."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.requests import uuid_of
from labeling.api.schemas.forms import TEXT, UUID, listed, one_of, said
from labeling.api.schemas.parameters import query
from labeling.api.views import Answer, View
from labeling.commands import security
from labeling.errors import InvalidValue, NotFound
from labeling.rules.dataset_state import GROUND_TRUTH
from releases import commands, files, queries
from releases.api.files import Served, downloader
from releases.api.schemas.exports import EXPORT, EXPORT_FILE, FORMAT
from releases.formats import registry
from releases.formats.format import EVERY, FEATURES, GEOMETRIES, OF_CATEGORIES, Format
from releases.models import ExportBuild
from releases.queries import Found

JSON = dict[str, Any]


def _options() -> tuple[JSON, ...]:
    """A parameter for each option that any format has, with all values that it has in any."""
    found: dict[str, tuple[list[str], str]] = {}
    for kind in registry.FORMATS.values():
        for option in (*EVERY, *kind.options):
            choices, _ = found.setdefault(option.name, ([], option.words))
            choices += [choice for choice in option.choices if choice not in choices]
    return tuple(
        query(name, f"{words} An option of formats that have it.", one_of(*choices), choices[0])
        for name, (choices, words) in sorted(found.items())
    )


def rendered(found: Found, dataset_name: str, job: ExportBuild) -> JSON:
    """An export as the API shows it, in the manner of the protocol's releases."""
    return {
        "uuid": job.id,
        "release": found.release.name,
        "format": job.format,
        "format_version": job.format_version,
        "label_set": job.label_set,
        "options": job.options,
        "status": job.status,
        "url": queries.export_url(job, dataset_name, found.release.name),
        "samples_count": job.samples_count,
        "samples_total": job.samples_total or None,
        "losses": job.losses,
        "size_bytes": job.size_bytes,
        "sha256": job.sha256 or None,
        "error": job.error or None,
    }


class ReleaseExportView(View):
    """A release in a format of others."""

    @documented(
        "release_export",
        "read",
        {200: Reply(EXPORT)},
        parameters=(
            query("format", "The name of a format; `GET /formats/` lists them.", one_of(*sorted(registry.WRITTEN)))
            | {"required": True, "example": "coco-instances"},
            query("label_set", f"The name of a label set; {GROUND_TRUTH} unless said.", TEXT, GROUND_TRUTH),
            *_options(),
        ),
        refusals=("not_permitted",),
    )
    def get(self, request: Request, owner: str, name: str, release: str) -> Answer:
        """The release in a format: asked for the first time it is begun, in the background; `url` is there once
        `status` is SUCCEEDED. The same question gives the same archive for ever."""
        # What happened is for members, even of a public dataset.
        seen = self.dataset(owner, name, "history" if request.query_params.get("events") == "yes" else "read")
        found = queries.find_release(seen.id, release)
        said_options = request.query_params.dict()
        if "format" not in said_options:
            raise InvalidValue("format", f"is required; it is one of {', '.join(sorted(registry.WRITTEN))}")
        job = commands.export_release(
            release=found.release,
            format_name=said_options.pop("format"),
            label_set=said_options.pop("label_set", GROUND_TRUTH),
            options=said_options,
        )
        return answer(rendered(found, seen.dataset.name, job))


class FormatsView(View):
    """What releases can be exported to."""

    @documented("formats", "account", {200: Reply(listed(FORMAT))})
    def get(self, request: Request) -> Answer:
        """Every format with its options, and what becomes in it of each geometry and of all else that labels hold."""
        return answer([described(kind) for _, kind in sorted(registry.FORMATS.items())])


def described(kind: Format) -> JSON:
    """A format in words."""
    return {
        "name": kind.name,
        "version": kind.version,
        "title": kind.title,
        "exports": kind.parts is not None,
        "imports": kind.read is not None,
        "needs_size": kind.needs_size,
        "options": [
            {"name": item.name, "choices": list(item.choices), "description": item.words}
            for item in (*EVERY, *kind.options)
        ],
        "reading_options": [
            {"name": item.name, "choices": list(item.choices), "description": item.words}
            for item in kind.reading_options
        ],
        "carries": {what: kind.fate(what) for what in (*GEOMETRIES, *FEATURES, *OF_CATEGORIES)},
    }


class ExportFileView(View):
    """The archive of an export."""

    authentication_classes = []
    permission_classes = []

    @documented(
        "export_file",
        "open",
        {200: Reply(EXPORT_FILE, media=("application/zip",))},
        path={
            "export": (said(UUID, "The uuid of an export."), "6d0f2b52-9c7e-5f3e-8f5a-0f6f2c9b1a11"),
            "token": (said(TEXT, "What cannot be guessed."), "x"),
            "filename": (said(TEXT, "Any name."), "cars-v1-coco-instances.zip"),
        },
        refusals=("unavailable", "refused"),
    )
    def get(self, request: Request, export: str, token: str, filename: str) -> Answer:
        """The archive: the files of the format, `losses.json` with what it could not carry, and `export.json`."""
        wanted = uuid_of(export)
        job = None if wanted is None else queries.export_by_id(wanted)
        if job is None or not files.is_token(token, job.id, job.sha256):
            raise NotFound
        release = queries.release_by_id(job.release_id).release
        queries.refuse_withheld(release)
        try:
            file = files.read(job.path) if job.status == ExportBuild.Status.SUCCEEDED else None
        except FileNotFoundError:
            commands.export_again(export=job.id)
            file = None
        if file is None:
            body = {"detail": "The archive is being made again. Try again in a moment.", "code": "unavailable"}
            return answer(body, status=503, headers={"Retry-After": "5"})
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Access-Control-Allow-Origin": "*",
            "Content-Length": str(job.size_bytes),
        }
        if request.method == "HEAD":
            file.close()
            return HttpResponse(content_type="application/zip", headers=headers)
        try:
            source, person = downloader(request)
            security.downloaded(
                what="export",
                id=job.id,
                dataset=release.dataset_id,
                sha256=job.sha256,
                source=source,
                person=person,
                release=job.release_id,
                format=job.format,
            )
        except Exception:
            file.close()
            raise
        return StreamingHttpResponse(Served(file, as_stored=True), content_type="application/zip", headers=headers)

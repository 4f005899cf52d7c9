"""Bringing pictures into a dataset: by files and by ZIP archives, with progress, and without JavaScript too.

What is uploaded goes to temporary files, never into memory. A script asks for lines of JSON, one for each file as soon
as it is dealt with, because the answer itself then is the progress: no process has to know of another's work.
"""

from __future__ import annotations

import json
import logging
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied, TooManyFilesSent
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.http.multipartparser import MultiPartParserError
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from labeling.admin.rights import intent_of, may, person_of
from labeling.admin.tabs import dataset_here, shown
from labeling.commands import pictures
from labeling.commands.archives import MOST_MEMBERS, Archive, BadArchive, is_archive
from labeling.commands.pictures import Outcome, Source
from labeling.errors import NotFound, NotPermitted, Refused
from labeling.log.event import Intent
from labeling.models import Dataset

if TYPE_CHECKING:
    from labeling.admin.datasets import DatasetAdmin

logger = logging.getLogger(__name__)

JSON = dict[str, Any]

LINES = "application/x-ndjson"
#: Bytes of one request; they all lie on the disk for a while.
MOST_BYTES = 8 * 1024**3
#: Files of one request (settings.DATA_UPLOAD_MAX_NUMBER_FILES): each is an open file. The script sends several.
MOST_FILES = 100
#: How many names of a kind a page lists.
MOST_LISTED = 500


def view(page: DatasetAdmin) -> Any:
    """The page of uploads. Who may not upload is refused before the body is read."""

    @csrf_protect
    def checked(request: HttpRequest, dataset: uuid.UUID) -> HttpResponseBase:
        return _answered(page, request, dataset)

    @csrf_exempt  # by `checked`, but only after the upload's handler is set: that cannot be done once the body is read
    def upload(request: HttpRequest, dataset: uuid.UUID) -> HttpResponseBase:
        dataset_here(request, dataset)
        if not may(request, "change", dataset):
            raise PermissionDenied
        if request.method == "POST":
            request.upload_handlers = [TemporaryFileUploadHandler(request)]
            problem = _unreadable(request)
            if problem:
                return _page(page, request, dataset, problem=problem)
        answer: HttpResponseBase = checked(request, dataset)
        return answer

    return upload


def _unreadable(request: HttpRequest) -> str:
    """Why the body cannot be read, or nothing; what is too large is not read at all."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
        return "More than 8 GB at once; send it in parts."
    try:
        request.FILES  # noqa: B018 - reads the body
    except TooManyFilesSent:
        return f"More than {MOST_FILES} files at once; pack them into a ZIP archive."
    except MultiPartParserError:
        return "The upload arrived damaged; send it again."
    return ""


def _answered(page: DatasetAdmin, request: HttpRequest, dataset: uuid.UUID) -> HttpResponseBase:
    try:
        pictures.check_takes_pictures(dataset=dataset, person=person_of(request).id)
    except (NotFound, NotPermitted) as error:
        raise PermissionDenied from error
    except Refused as error:
        return _page(page, request, dataset, closed=error.message)
    files = request.FILES.getlist("files") if request.method == "POST" else []
    if not files:
        problem = "Choose at least one picture or ZIP archive." if request.method == "POST" else ""
        return _page(page, request, dataset, problem=problem)
    intent = intent_of(request, command=_gesture(request))
    sources = list(sources_of(files))
    outcomes = pictures.add_pictures(intent=intent, dataset=dataset, sources=sources)
    if LINES in request.headers.get("Accept", ""):
        answer = StreamingHttpResponse(_lines(outcomes, len(sources)), content_type=LINES)
        answer.headers["X-Accel-Buffering"] = "no"  # a proxy in front passes each line on
        return answer
    return _page(page, request, dataset, outcomes=list(outcomes))


def _gesture(request: HttpRequest) -> uuid.UUID:
    """The id that the requests of one upload share; it becomes the correlation of their events."""
    try:
        return uuid.UUID(request.POST.get("upload", ""))
    except ValueError:
        return Intent(author=person_of(request).id).command


def sources_of(files: list[Any]) -> Iterator[Source]:
    """Every picture that was sent: the files, and what is in the archives."""
    left = MOST_MEMBERS  # of all archives together: what each holds is listed in memory
    for file in files:
        name = file.name or "file"
        if not is_archive(file, name):
            yield Source(name, partial(_open, file))
            continue
        try:
            archive = Archive(file)
            left -= len(archive.members)
            if left < 0:
                raise BadArchive(f"more than {MOST_MEMBERS} files at once; send this archive by itself")
        except BadArchive as error:
            yield Source(name, tempfile.TemporaryFile, str(error))
            continue
        found = pictures.from_archive(archive)
        yield from found
        if not found:
            yield Source(name, tempfile.TemporaryFile, "this ZIP archive holds no files")


def _open(file: Any) -> AbstractContextManager[IO[bytes]]:
    """A file that the request closes."""
    return nullcontext(file)


def _lines(outcomes: Iterator[Outcome], total: int) -> Iterator[str]:
    yield _line({"total": total})
    try:
        for outcome in outcomes:
            yield _line({"name": outcome.name, "what": outcome.what, "words": outcome.words})
    except Exception:
        # The answer has begun, so no page of an error can be sent any more; what was made is made.
        logger.exception("an upload broke off")
        yield _line({"error": "The server could not go on. What is listed is done; send the rest again."})


def _line(value: JSON) -> str:
    return json.dumps(value) + "\n"


def _page(
    page: DatasetAdmin,
    request: HttpRequest,
    dataset: uuid.UUID,
    *,
    problem: str = "",
    closed: str = "",
    outcomes: list[Outcome] | None = None,
) -> HttpResponseBase:
    groups = {what: [item for item in outcomes or () if item.what == what] for what in ("refused", "there", "made")}
    context = {
        "problem": problem,
        "closed": closed,
        "results": outcomes is not None,
        "groups": [
            (what, WORDS[what], len(items), items[:MOST_LISTED], max(0, len(items) - MOST_LISTED))
            for what, items in groups.items()
        ],
        "upload": uuid.uuid4(),
        "most_files": MOST_FILES,
        "samples_url": f"{reverse('admin:labeling_sample_changelist')}?dataset={dataset}",
    }
    template, status = "admin/labeling/dataset/upload.html", 400 if problem else 200
    found = Dataset.objects.get(id=dataset)
    return shown(page, request, found, template, "Upload pictures", "upload", context, status=status)


WORDS = {"made": "added", "there": "skipped: a sample of this name is there", "refused": "refused"}

"""Files: the protocol's signed upload form, and media without a key at addresses that cannot be guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.decorators import method_decorator
from django.views import View as PlainView
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request

from labeling import storage
from labeling.api.answers import answer
from labeling.api.contract import Body, Reply, documented
from labeling.api.requests import body_of, uuid_of
from labeling.api.schemas import files as schemas
from labeling.api.schemas.files import CONTENT_RANGE, IF_NONE_MATCH, RANGE, SERVED
from labeling.api.schemas.forms import TEXT, said
from labeling.api.views import Answer, View
from labeling.commands import assets as commands
from labeling.commands.assets import FORM_AGE_S
from labeling.errors import InvalidValue, NotFound, PalimpsestError, StorageUnavailable, TooLarge
from labeling.models import Asset

JSON = dict[str, Any]

SALT = "palimpsest.asset"
#: What a browser may show from us; anything else is a download. SVG and HTML can run scripts.
SHOWN = {"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/tiff", "video/mp4", "video/webm"}
CHUNK_BYTES = 1 << 16
_range = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class AssetsView(View):
    """New files."""

    writes = "label"

    @documented(
        "asset_add",
        "account",
        {201: Reply(schemas.PLANNED_FILE)},
        body=schemas.NEW_FILE,
        refusals=("storage_unavailable",),
    )
    def post(self, request: Request) -> Answer:
        """A place for a file: where to post it (`presignedPostFields`), and the url that it will have."""
        filename = body_of(request).get("filename", "label.png")
        if not isinstance(filename, str) or not 1 <= len(filename) <= 255:
            raise InvalidValue("filename", "must be a string of 1 to 255 characters")
        asset = commands.plan_asset(owner=self.person, filename=filename)
        form = commands.form_of(asset, age_s=FORM_AGE_S) or _own_form(asset)
        return answer(_rendered(asset) | {"presignedPostFields": form}, status=201)


class AssetCompleteView(View):
    """A planned file whose owner says that it is uploaded."""

    writes = "label"

    @documented(
        "asset_complete",
        "account",
        {200: Reply(schemas.STORED_FILE)},
        body=schemas.COMPLETION,
        refusals=("refused", "too_large", "storage_unavailable"),
    )
    def post(self, request: Request, asset: str) -> Answer:
        """Look now whether the file is there, instead of at its first use, and answer with its size and SHA-256.

        With `sha256` in the body, another file than that is refused, and the right one may be posted.
        """
        sha256 = body_of(request).get("sha256")
        if sha256 is not None and (not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256)):
            raise InvalidValue("sha256", "must be 64 digits of 0-9 and a-f")
        asset_id = uuid_of(asset)
        if asset_id is None:
            raise NotFound
        found = commands.complete_asset(asset=asset_id, owner=self.person, sha256=sha256)
        stored = {"content_type": found.content_type, "size_bytes": found.size_bytes, "sha256": found.sha256}
        return answer(_rendered(found) | stored)


def _rendered(asset: Asset) -> JSON:
    return {
        "uuid": asset.id,
        "filename": asset.filename,
        "url": settings.PUBLIC_URL + commands.url_of(asset),
        "created_at": asset.created_at,
    }


def _own_form(asset: Asset) -> JSON:
    """The form that is posted to us. The SDK wants all eight of S3's fields; but for the policy they mean nothing."""
    fields = {
        "acl": "private",
        "Content-Type": asset.content_type,
        "key": f"{asset.token}/{asset.filename}",
        "x-amz-algorithm": "PALIMPSEST-SIGNED",
        "x-amz-credential": "none",
        "x-amz-date": "none",
        "policy": signing.dumps(str(asset.id), salt=SALT),
        "x-amz-signature": "in-policy",
    }
    return {"url": f"{settings.PUBLIC_URL}/assets/upload/", "fields": fields}


class WithoutKey(PlainView):
    """A view that asks nobody who they are; its refusals have the form of all others."""

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        allowed = [name.upper() for name in self.http_method_names if hasattr(self, name)]
        body = {"detail": "This method is not allowed here.", "code": "method_not_allowed"}
        return answer(body, status=405, headers={"Allow": ", ".join(allowed)})


@method_decorator(csrf_exempt, name="dispatch")
class UploadView(WithoutKey):
    """Where the signed form is posted: no key, because the signed policy names the one file it is good for."""

    @documented(
        "asset_upload",
        "open",
        {204: Reply()},
        body=Body(schemas.FORM, media="multipart/form-data"),
        refusals=("invalid", "refused", "too_large", "storage_unavailable", "unavailable"),
        statuses={"refused": 400},
        plain=True,
    )
    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Post a planned file with the fields that came with it. No key: the signed policy names the one file."""
        try:
            self._store(request)
        except PalimpsestError as error:
            status = {TooLarge: 413, StorageUnavailable: 503}.get(type(error), 400)
            headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, StorageUnavailable) else {}
            return answer({"detail": error.message, "code": error.code}, status=status, headers=headers)
        return HttpResponse(status=204)

    def _store(self, request: HttpRequest) -> None:
        if int(request.META.get("CONTENT_LENGTH") or 0) > commands.MOST_BYTES + (1 << 20):
            raise TooLarge("file: is larger than 100 MB")
        try:
            asset_id = uuid_of(signing.loads(request.POST.get("policy", ""), salt=SALT, max_age=FORM_AGE_S))
        except signing.BadSignature as error:
            raise InvalidValue(
                "policy", "is not one that this server signed in the last hour; ask for a new upload"
            ) from error
        asset = Asset.objects.filter(id=asset_id).first() if asset_id else None
        file = request.FILES.get("file")
        if asset is None or file is None:
            raise InvalidValue("file", "is required, as the last part of the form")
        content_type = request.POST.get("Content-Type", "")
        commands.store_asset(asset, file, content_type=content_type if _is_media_type(content_type) else "")


def _is_media_type(text: str) -> bool:
    return re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", text) is not None


class MediaView(WithoutKey):
    """A file of ours. It never changes, so it may be kept for ever; it is never run in a browser."""

    http_method_names = ["get", "head", "options"]

    @documented(
        "media",
        "open",
        {
            200: Reply(schemas.BYTES, SERVED, media=("*/*",)),
            206: Reply(schemas.BYTES, (*SERVED, CONTENT_RANGE), media=("*/*",)),
            304: Reply(headers=SERVED),
            416: Reply(headers=(*SERVED, CONTENT_RANGE)),
        },
        parameters=(RANGE, IF_NONE_MATCH),
        path={
            "token": (said(TEXT, "What cannot be guessed."), "Jn0yZ3Y1tq4d8wXo0mC2aB5eF7hK9pLs"),
            "filename": (said(TEXT, "The name of the file."), "a.jpg"),
        },
        refusals=("not_found", "missing_file", "erased_file", "storage_unavailable", "unavailable"),
        plain=True,
    )
    def get(self, request: HttpRequest, token: str, filename: str) -> HttpResponseBase:
        """An uploaded file, whole or (`Range`) a piece of it. It never changes, and is never run in a browser."""
        try:
            asset = commands.asset_by_token(token)
            if asset.filename != filename:
                raise NotFound
            if asset.erased_at is not None:
                return answer({"detail": "The file was erased.", "code": "erased_file"}, status=410)
            return self._served(request, asset)
        except NotFound:
            return answer({"detail": "Not found.", "code": "not_found"}, status=404)
        except FileNotFoundError:
            return answer({"detail": "The file is missing from storage.", "code": "missing_file"}, status=410)
        except StorageUnavailable as error:
            headers = {"Retry-After": str(error.retry_after_s)}
            return answer({"detail": error.message, "code": error.code}, status=503, headers=headers)

    def _served(self, request: HttpRequest, asset: Asset) -> HttpResponseBase:
        assert asset.sha256 is not None
        assert asset.size_bytes is not None
        headers = {
            "ETag": f'"{asset.sha256}"',
            "Cache-Control": "public, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Accept-Ranges": "bytes",
            "Access-Control-Allow-Origin": "*",
        }
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return HttpResponse(status=304, headers=headers)
        shown = asset.content_type if asset.content_type in SHOWN else "application/octet-stream"
        saved = shown == "application/octet-stream"
        headers["Content-Disposition"] = f'{"attachment" if saved else "inline"}; filename="{asset.filename}"'
        path = commands.path_of(asset.sha256)
        span = _span(request.headers.get("Range"), asset.size_bytes)
        first, last = span or (0, asset.size_bytes - 1)
        is_wrong = span is not None and first > last
        if (is_wrong or request.method == "HEAD") and not default_storage.exists(path):
            raise FileNotFoundError
        if is_wrong:
            headers["Content-Range"] = f"bytes */{asset.size_bytes}"
            return HttpResponse(status=416, headers=headers)
        if span is None and request.method != "HEAD" and storage.bucket() is None:
            whole = FileResponse(default_storage.open(path), content_type=shown, headers=headers)
            whole.headers["Content-Disposition"] = headers["Content-Disposition"]  # it took the name in storage
            return whole
        if span is not None:
            headers["Content-Range"] = f"bytes {first}-{last}/{asset.size_bytes}"
        headers["Content-Length"] = str(last - first + 1)
        status = 200 if span is None else 206
        if request.method == "HEAD":
            return HttpResponse(status=status, content_type=shown, headers=headers)
        return StreamingHttpResponse(_Piece(path, first, last), status=status, content_type=shown, headers=headers)


def _span(header: str | None, size: int) -> tuple[int, int] | None:
    """(first, last) byte of a single range; None for the whole file; first > last where it cannot be satisfied."""
    match = _range.fullmatch((header or "").replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        return (max(0, size - int(match[2])), size - 1) if int(match[2]) else (1, 0)
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    return (first, last) if first < size and first <= last else (1, 0)


class _Piece:
    """Some bytes of a stored file, which is closed with the answer, also when nobody read them."""

    def __init__(self, path: str, first: int, last: int) -> None:
        self.left = last - first + 1
        # An empty file has no last byte to ask for.
        self.file = storage.open_at(path, first, last if self.left else None)
        self.close = self.file.close

    def __iter__(self) -> Iterator[bytes]:
        while self.left > 0 and (chunk := self.file.read(min(self.left, CHUNK_BYTES))):
            self.left -= len(chunk)
            yield chunk

"""Files in an S3 bucket: django-storages' backend, which reads a file as a stream here and signs forms to post one.

boto3's client may be shared by threads and takes 13 MB and a fifth of a second to make, so a process has one of them.
"""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from django.core.files.base import File
from storages.backends.s3 import S3Storage
from storages.utils import ReadBytesWrapper

from labeling.errors import StorageUnavailable

logger = logging.getLogger(__name__)

BUFFER_BYTES = 1 << 17
CONNECT_LIMIT_S = 5
SILENCE_LIMIT_S = 30
#: With ACLs disabled, as they are in a new bucket, Amazon takes no other; the SDK sends one in any case.
ACL = "bucket-owner-full-control"
_absent = {"404", "NoSuchKey", "InvalidRange"}


class Bucket(S3Storage):
    """The storage of all files where STORAGE_URL names a bucket; the options are made by config/storage.py."""

    public_endpoint_url: str | None = None

    def __init__(self, **options: Any) -> None:
        self.public_endpoint_url = options.pop("public_endpoint_url", None)
        self._clients: dict[str | None, Any] = {}
        self._making = threading.Lock()
        client_config = Config(
            s3={"addressing_style": options.get("addressing_style", "path")},
            signature_version="s3v4",
            connect_timeout=CONNECT_LIMIT_S,
            read_timeout=SILENCE_LIMIT_S,
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=32,
            # Older servers than Amazon's do not know boto3's newest checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        # One part of a large file in memory at a time.
        transfer_config = TransferConfig(use_threads=False)
        super().__init__(**options, client_config=client_config, transfer_config=transfer_config)

    @property
    def client(self) -> Any:
        """boto3's client of the bucket, for all threads."""
        return self._client_of(self.endpoint_url)

    def _client_of(self, endpoint_url: str | None) -> Any:
        with self._making:
            if endpoint_url not in self._clients:
                session = self._create_session()
                if session.get_credentials() is None:
                    raise NoCredentialsError  # boto3 would try without, or fail in a way of its own
                self._clients[endpoint_url] = session.client(
                    "s3", region_name=self.region_name, endpoint_url=endpoint_url, config=self.client_config
                )
            return self._clients[endpoint_url]

    def close(self) -> None:
        """Let go of all connections."""
        with self._making:
            while self._clients:
                self._clients.popitem()[1].close()

    def key(self, name: str) -> str:
        """The key in the bucket of a file of this name."""
        return str(self._normalize_name(name))

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        if mode != "rb":
            raise ValueError("a file of the bucket is opened to be read as bytes")
        return File(io.BufferedReader(self.stream(name), BUFFER_BYTES), name)

    def _save(self, name: str, content: Any) -> str:
        content.seek(0)
        with _in_our_words():
            self.client.upload_fileobj(
                _Kept(content),
                self.bucket_name,
                self.key(name),
                ExtraArgs={"ContentType": self.default_content_type},
                Config=self.transfer_config,
            )
        return name

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        try:
            self.size(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        """How many bytes a file has.

        Raises:
            FileNotFoundError: there is none.
        """
        with _in_our_words():
            return int(self.client.head_object(Bucket=self.bucket_name, Key=self.key(name))["ContentLength"])

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError), _in_our_words():
            self.client.delete_object(Bucket=self.bucket_name, Key=self.key(name))

    def stream(self, name: str, first: int = 0, last: int | None = None) -> Stream:
        """A file, from byte `first` to `last`, fetched while it is read.

        Raises:
            FileNotFoundError: there is none, or it is too short.
        """
        return Stream(self, self.key(name), first, last)

    def form(self, name: str, *, content_type: str, most_bytes: int, age_s: int) -> dict[str, Any] | None:
        """{url, fields} that somebody without a key posts one file with: to exactly this name, and while it is fresh.

        None where our own keys are lent to us (to a machine's role): such a form has a ninth field, which the SDK does
        not send.
        """
        fields = {"acl": ACL, "Content-Type": content_type}
        conditions = [*({name: value} for name, value in fields.items()), ["content-length-range", 0, most_bytes]]
        with _in_our_words():
            client = self._client_of(self.public_endpoint_url or self.endpoint_url)
            form: dict[str, Any] = client.generate_presigned_post(
                self.bucket_name, self.key(name), Fields=fields, Conditions=conditions, ExpiresIn=age_s
            )
        return None if "x-amz-security-token" in form["fields"] else form


class Stream(io.RawIOBase):
    """A file of a bucket, or a span of it: one request for all that is read in order, and one more after each seek.

    `size_bytes` is that of the whole file, `modified_at` when the bucket got it, as the bucket says.
    """

    def __init__(self, bucket: Bucket, key: str, first: int, last: int | None) -> None:
        super().__init__()
        self._bucket, self._key = bucket, key
        self._at = self._body_at = first
        self._end = None if last is None else last + 1
        self._body: Any = None
        self.size_bytes = 0
        self.modified_at: Any = None
        self._fetch()  # now, so that what is missing is missed before anything was served

    def _fetch(self) -> None:
        at, end = self._at, self._end
        is_part = at > 0 or end is not None
        span = {"Range": f"bytes={at}-{'' if end is None else end - 1}"} if is_part else {}
        with _in_our_words():
            answer = self._bucket.client.get_object(Bucket=self._bucket.bucket_name, Key=self._key, **span)
        self._body, self._body_at = answer["Body"], at
        total, place = answer.get("ContentLength"), ""
        if is_part and total is not None:
            place, _, total = answer.get("ContentRange", "").partition("/")
        if not str(total).isdigit() or (is_part and not place.startswith(f"bytes {at}-")):
            self.close()
            logger.error("the bucket sends something else than the part that it is asked for")
            raise StorageUnavailable
        if end is not None and int(total) < end:
            self.close()
            raise FileNotFoundError("the file in the bucket is too short")
        self.size_bytes, self.modified_at = int(total), answer.get("LastModified")
        self._end = self.size_bytes if end is None else end

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The place in the whole file."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place in the whole file; nothing is fetched before it is read."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size_bytes}[whence])
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        """Read on.

        Raises:
            StorageUnavailable: the bucket fell silent, or ended too early.
        """
        assert self._end is not None
        wanted = min(len(buffer), self._end - self._at)
        if wanted <= 0:
            return 0
        if self._body is None or self._body_at != self._at:
            self._drop()
            self._fetch()
        with _in_our_words():
            piece = self._body.read(wanted)
        if not piece:
            logger.error("the bucket ended a file too early")
            raise StorageUnavailable
        buffer[: len(piece)] = piece
        self._at += len(piece)
        self._body_at = self._at
        return len(piece)

    def close(self) -> None:
        """Let go of the connection."""
        self._drop()
        super().close()

    def _drop(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()


class _Kept(ReadBytesWrapper):
    """A file that boto3 does not close (it closes what it has sent)."""

    def close(self) -> None:
        """Do nothing."""


@contextmanager
def _in_our_words() -> Iterator[None]:
    """FileNotFoundError or StorageUnavailable in the place of what boto3 raises."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _absent:
            raise FileNotFoundError("there is no such file in the bucket") from None
        logger.error("the bucket refused %s: %s", error.operation_name, code)
        raise StorageUnavailable from error
    except (BotoCoreError, Boto3Error) as error:
        logger.error("the bucket cannot be used: %s", type(error).__name__)
        raise StorageUnavailable from error

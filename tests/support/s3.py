"""An S3 to talk to: moto's server in a process of its own, over real HTTP.

It checks no signature, no expiry, no length and no checksum of what is posted to it: what is refused, we refuse.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any, NamedTuple
from urllib.parse import quote

import boto3
from botocore.config import Config

KEY, SECRET = "moto-key", "moto/secret+word"
REGION = "eu-central-1"
_serial = itertools.count(1)

# It ends with its standard input, so that it does not outlive a test run that is killed.
_PROGRAM = """
import logging
import sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
"""


class StandIn:
    """A running server, and a client of it that is no part of what is tested."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        host, port = self._process.stdout.readline().split()
        self.url = f"http://{host}:{port}"
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            config=Config(s3={"addressing_style": "path"}),
        )
        self.our_clients: dict[str | None, Any] = {}

    def stop(self) -> None:
        """End it."""
        for client in (self.client, *self.our_clients.values()):
            client.close()
        with self._process as process:
            process.kill()

    def new_bucket(self, prefix: str = "files/here") -> Stored:
        """A new, empty bucket, in which files are kept below `prefix`."""
        name = f"palimpsest-{next(_serial)}"
        self.client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return Stored(self, name, prefix)


class Stored(NamedTuple):
    """The files of a bucket, as nobody of ours sees them."""

    s3: StandIn
    bucket: str
    prefix: str

    @property
    def storage_url(self) -> str:
        """The STORAGE_URL, with the key in it."""
        keys = f"{KEY}:{quote(SECRET, safe='')}"
        return f"s3://{keys}@{self.bucket}/{self.prefix}?endpoint={self.s3.url}&region={REGION}&addressing=path"

    def paths(self) -> set[str]:
        """The paths of all files."""
        found = self.s3.client.list_objects_v2(Bucket=self.bucket).get("Contents", ())
        return {item["Key"].removeprefix(f"{self.prefix}/") for item in found}

    def put(self, path: str, content: bytes) -> None:
        """Put a file there."""
        self.s3.client.put_object(Bucket=self.bucket, Key=f"{self.prefix}/{path}", Body=content)

    def get(self, path: str) -> bytes:
        """The bytes of a file."""
        with self.s3.client.get_object(Bucket=self.bucket, Key=f"{self.prefix}/{path}")["Body"] as body:
            return bytes(body.read())

    def delete(self, path: str) -> None:
        """Remove a file."""
        self.s3.client.delete_object(Bucket=self.bucket, Key=f"{self.prefix}/{path}")

"""From the environment to where files are kept: the data directory, or the S3 bucket that STORAGE_URL names.

    s3://bucket/prefix?endpoint=http://s3:9000&region=eu-central-1&addressing=path&public=https://files.example.org

`endpoint` is for any S3 but Amazon's. `public` is where clients reach it, when that is elsewhere: the SDK posts its
files to the bucket itself. The keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from the url's
user:password, or from wherever boto3 finds them on a machine of Amazon's. They must be good for GetObject, PutObject,
PutObjectAcl and DeleteObject below the prefix, and for ListBucket, or S3 would not say that a file is missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

FORM = "STORAGE_URL must read s3://bucket/prefix?endpoint=https://host&region=name&addressing=path"
OPTIONS = ("endpoint", "region", "addressing", "public")
ADDRESSINGS = ("path", "virtual")
KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class BadStorageURL(ValueError):
    """STORAGE_URL cannot be used; the message says why and never repeats the value, which may hold a password."""


def storage(environment: Mapping[str, str], home: Path) -> dict[str, Any]:
    """Return Django's entry for the default storage.

    Raises:
        BadStorageURL: STORAGE_URL is set and names no bucket, or only one half of a key is given.
    """
    url = environment.get("STORAGE_URL", "").strip()
    if not url:
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": home / "media"},
        }
    options = parse_url(url)
    if "access_key" not in options and len([name for name in KEY_VARIABLES if environment.get(name)]) == 1:
        raise BadStorageURL(f"STORAGE_URL needs both of {' and '.join(KEY_VARIABLES)}, or none; only one is set.")
    # boto3 itself reads only the second.
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    return {"BACKEND": "labeling.bucket.Bucket", "OPTIONS": {"region_name": region or None, **options}}


def parse_url(url: str) -> dict[str, Any]:
    """Return the options of `labeling.bucket.Bucket` that an s3:// address means.

    Raises:
        BadStorageURL: another scheme, no bucket, half of a key, a prefix of other characters, an unknown option.
    """
    try:
        parts = urlsplit(url)
        said = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise BadStorageURL(f"{FORM}; this one is no address.") from None
    if parts.scheme != "s3":
        raise BadStorageURL(f"{FORM}; this one has another scheme.")
    keys, has_keys, bucket = parts.netloc.rpartition("@")
    prefix = parts.path.strip("/")
    if parts.fragment or "@" in prefix:
        raise BadStorageURL(f"{FORM}; this one breaks off (write # ? / @ in a password as %23 %3F %2F %40).")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]", bucket):
        raise BadStorageURL(f"{FORM}; this one names no bucket (3 to 63 letters, digits, dots, hyphens).")
    if prefix and not all(re.fullmatch(r"(?!\.\.?$)[A-Za-z0-9._-]{1,200}", part) for part in prefix.split("/")):
        raise BadStorageURL(f"{FORM}; the prefix of this one has more than letters, digits, dots, hyphens and slashes.")
    query = dict(said)
    if len(query) < len(said) or not set(query) <= set(OPTIONS) or not all(query.values()):
        raise BadStorageURL(f"{FORM}; this one has an option other than {', '.join(OPTIONS)}, one twice, or one empty.")
    options: dict[str, Any] = {"bucket_name": bucket, "location": prefix}
    if has_keys:
        access_key, _, secret_key = (unquote(part) for part in keys.partition(":"))
        if not access_key or not secret_key:
            raise BadStorageURL(f"{FORM}; this one has one half of s3://key:secret@bucket.")
        # No token: one from the environment belongs to the keys there.
        options |= {"access_key": access_key, "secret_key": secret_key, "security_token": None}
    for name, option in (("endpoint", "endpoint_url"), ("public", "public_endpoint_url")):
        if name in query:
            options[option] = _endpoint(query[name], name)
    if "region" in query:
        if not re.fullmatch(r"[A-Za-z0-9-]{1,63}", query["region"]):
            raise BadStorageURL(f"{FORM}; the region of this one has more than letters, digits and hyphens.")
        options["region_name"] = query["region"]
    # Not every S3 of one's own has a host name for each bucket. Amazon's have, and only those are in the right region;
    # but its certificates do not cover a bucket with a dot.
    options["addressing_style"] = query.get("addressing", "path" if "endpoint" in query or "." in bucket else "virtual")
    if options["addressing_style"] not in ADDRESSINGS:
        raise BadStorageURL(f"{FORM}; the addressing of this one is none of {', '.join(ADDRESSINGS)}.")
    return options


def _endpoint(address: str, name: str) -> str:
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        is_address = is_address and not re.search(r"[\s\x00-\x1f]", address)
    except ValueError:
        is_address = False
        parts = urlsplit("")
    if not is_address or parts.query or parts.fragment or "@" in parts.netloc:
        raise BadStorageURL(f"{FORM}; the {name} of this one is not http://host:port or https://host.")
    return address.rstrip("/")

"""STORAGE_URL: every form that people write, and a clear word for each that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.storage import BadStorageURL, parse_url, storage

HOME = Path("/home/of/data")


def test_without_a_url_files_are_in_the_data_directory() -> None:
    for environment in ({}, {"STORAGE_URL": ""}, {"STORAGE_URL": " \n"}, {"AWS_ACCESS_KEY_ID": "half"}):
        entry = storage(environment, HOME)
        assert entry["BACKEND"] == "django.core.files.storage.FileSystemStorage"
        assert entry["OPTIONS"] == {"location": HOME / "media"}


@pytest.mark.parametrize(
    "url, expected",
    [
        ("s3://files", {"bucket_name": "files", "location": "", "addressing_style": "virtual"}),
        ("s3://files/", {"location": ""}),
        ("s3://my.files/", {"bucket_name": "my.files", "addressing_style": "path"}),
        ("s3://files/a/b-c_d.e", {"location": "a/b-c_d.e"}),
        ("s3://files/a/", {"location": "a"}),
        (
            "s3://files/a?endpoint=http://127.0.0.1:9000&region=eu-central-1&addressing=path",
            {"endpoint_url": "http://127.0.0.1:9000", "region_name": "eu-central-1", "addressing_style": "path"},
        ),
        ("s3://files?endpoint=http://s3:9000/", {"endpoint_url": "http://s3:9000", "addressing_style": "path"}),
        ("s3://files?endpoint=https%3A%2F%2Fs3.example.org", {"endpoint_url": "https://s3.example.org"}),
        ("s3://files?endpoint=https://example.org/storage/s3", {"endpoint_url": "https://example.org/storage/s3"}),
        ("s3://files?endpoint=http://[::1]:9000&addressing=virtual", {"addressing_style": "virtual"}),
        (
            "s3://files?endpoint=http://s3:9000&public=https://files.example.org",
            {"endpoint_url": "http://s3:9000", "public_endpoint_url": "https://files.example.org"},
        ),
        (
            "s3://AKIA1:a%2Fb%3Fc%23d%40e+f%3A@files/a",
            {"access_key": "AKIA1", "secret_key": "a/b?c#d@e+f:", "security_token": None, "bucket_name": "files"},
        ),
    ],
)
def test_an_address_is_taken_apart(url: str, expected: dict[str, Any]) -> None:
    options = parse_url(url)
    assert {name: options[name] for name in expected} == expected


@pytest.mark.parametrize(
    "url, reason",
    [
        ("nonsense", "another scheme"),
        ("/data/files", "another scheme"),
        ("https://s3.example.org/files", "another scheme"),
        ("s3:files", "names no bucket"),
        ("s3:///files", "names no bucket"),
        ("s3://", "names no bucket"),
        ("s3://ab", "names no bucket"),
        ("s3://" + "a" * 64, "names no bucket"),
        ("s3://files:9000/a", "names no bucket"),
        ("s3://-files", "names no bucket"),
        ("s3://fi les", "names no bucket"),
        ("s3://[files", "no address"),
        ("s3://key:hush-word@", "names no bucket"),
        ("s3://key:hush/word@files", "breaks off"),
        ("s3://key:hush#word@files", "breaks off"),
        ("s3://key:hush?word@files", "no address|names no bucket"),
        ("s3://key:hush-word@files#a", "breaks off"),
        ("s3://key@files", "one half"),
        ("s3://key:@files", "one half"),
        ("s3://:hush-word@files", "one half"),
        ("s3://@files", "one half"),
        ("s3://files/a//b", "prefix"),
        ("s3://files/../b", "prefix"),
        ("s3://files/a/.", "prefix"),
        ("s3://files/ä", "prefix"),
        ("s3://files/a%20b", "prefix"),
        ("s3://files?endpoint", "no address"),
        ("s3://files?endpoint=", "one empty"),
        ("s3://files?region=a&region=b", "one twice"),
        ("s3://files?endpiont=http://s3", "an option other than"),
        ("s3://files?region=eu_central 1", "region"),
        ("s3://files?addressing=auto", "addressing"),
        ("s3://files?endpoint=s3:9000", "the endpoint of"),
        ("s3://files?endpoint=ftp://s3", "the endpoint of"),
        ("s3://files?endpoint=http://", "the endpoint of"),
        ("s3://files?endpoint=http://s3:99999", "the endpoint of"),
        ("s3://files?endpoint=http://s3:0", "the endpoint of"),
        ("s3://files?endpoint=http://[s3", "the endpoint of"),
        ("s3://files?endpoint=http://key:hush-word@s3", "the endpoint of"),
        ("s3://files?endpoint=http://s3%0d%0aHost: x", "the endpoint of"),
        ("s3://files?endpoint=http://s3%3Fhush", "the endpoint of"),
        ("s3://files?endpoint=http://s3&public=files.example.org", "the public of"),
    ],
)
def test_nonsense_is_refused_with_the_reason_and_without_the_secret(url: str, reason: str) -> None:
    with pytest.raises(BadStorageURL, match=reason) as refused:
        parse_url(url)
    assert "hush" not in str(refused.value)
    assert str(refused.value).startswith("STORAGE_URL must read s3://bucket")


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_one_half_of_a_key_in_the_environment_is_refused(name: str) -> None:
    with pytest.raises(BadStorageURL, match="only one is set") as refused:
        storage({"STORAGE_URL": "s3://files", name: "secret-word"}, HOME)
    assert "secret-word" not in str(refused.value)
    storage({"STORAGE_URL": "s3://key:word@files", name: "secret-word"}, HOME)


def test_the_region_of_the_url_goes_before_those_of_the_environment() -> None:
    def region(url: str, **variables: str) -> Any:
        return storage({"STORAGE_URL": url, **variables}, HOME)["OPTIONS"]["region_name"]

    assert region("s3://files?region=one", AWS_REGION="two", AWS_DEFAULT_REGION="three") == "one"
    assert region("s3://files", AWS_REGION="two", AWS_DEFAULT_REGION="three") == "two"
    assert region("s3://files", AWS_DEFAULT_REGION="three") == "three"
    assert region("s3://files") is None


def test_keys_of_the_environment_are_left_to_boto3_with_their_token() -> None:
    variables = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
    options = storage({"STORAGE_URL": " s3://files ", **variables}, HOME)["OPTIONS"]
    assert not {"access_key", "secret_key", "security_token"} & set(options)
    own = storage({"STORAGE_URL": "s3://mine:word@files", **variables}, HOME)["OPTIONS"]
    assert (own["access_key"], own["secret_key"], own["security_token"]) == ("mine", "word", None)

"""Accounts, keys and organisations, and what guards the door."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class Person(AbstractUser):
    """Somebody who causes events: a person, an organisation or a service. The log knows only the id."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    is_organization = models.BooleanField(default=False)
    erased_at = models.DateTimeField(null=True, editable=False)

    class Meta(AbstractUser.Meta):
        verbose_name = "person"
        verbose_name_plural = "people"


class PersonKey(models.Model):
    """The key that a person's free text is encrypted with. Destroying it erases the text; the chain still holds."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.OneToOneField(Person, on_delete=models.CASCADE, related_name="text_key")
    secret = models.BinaryField(null=True)
    destroyed_at = models.DateTimeField(null=True)


class ApiKey(models.Model):
    """A key for the API, kept as a SHA-256 hash only (keys are random, so a slow hash would add nothing).

    `scope` and `origin` are of rules.access. `last_used_at` is right to the hour, and no event.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100, blank=True)
    scope = models.CharField(max_length=10, default="manage")
    origin = models.CharField(max_length=10, default="person")
    hash = models.BinaryField(unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return self.name or "unnamed"


class AddressSecret(models.Model):
    """What the network addresses that the security log names in one month are hashed with. Destroying it makes them
    say nothing any more, not even which of them are the same; the chain still holds."""

    month = models.CharField(max_length=7, primary_key=True)
    secret = models.BinaryField(null=True)
    destroyed_at = models.DateTimeField(null=True)


class LoginAttempts(models.Model):
    """How often one username failed to log in from one address; both only as a keyed hash. Forgotten after a while."""

    source = models.CharField(max_length=64, primary_key=True)
    count = models.IntegerField()
    last_at = models.DateTimeField(db_index=True)


class SecurityTally(models.Model):
    """What happened again within a minute, and is not yet told in the security log (commands.security)."""

    minute = models.DateTimeField()
    source = models.CharField(max_length=64)
    grouping = models.CharField(max_length=64)
    type = models.CharField(max_length=50)
    data = models.JSONField()
    author = models.UUIDField()
    author_kind = models.CharField(max_length=10)
    untold = models.IntegerField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["minute", "source"], name="security_tally_source")]
        indexes = [models.Index(fields=["minute", "grouping"], name="security_tally_grouping")]


class OrganizationMember(models.Model):
    """A person's role in an organisation. `log` is the installation's."""

    id = models.UUIDField(primary_key=True, editable=False)
    log = models.UUIDField()
    last_offset = models.BigIntegerField()
    organization_id = models.UUIDField()
    person_id = models.UUIDField(db_index=True)
    role = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization_id", "person_id"], name="organization_member_once")
        ]


class SigningKey(models.Model):
    """A key that the installation signs with: its public half, in hex, and when it was in use. `log` is the
    installation's."""

    id = models.UUIDField(primary_key=True, editable=False)
    log = models.UUIDField()
    last_offset = models.BigIntegerField()
    key = models.TextField(unique=True)
    public = models.TextField()
    added_offset = models.BigIntegerField()
    added_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.key

"""Webhooks, how far each got, and what was delivered."""

from __future__ import annotations

from django.db import models

from labeling.log.models import StoredJSON


class Webhook(models.Model):
    """A subscription of another program; see rules.webhook_state. `log` is the dataset's, or the installation's."""

    id = models.UUIDField(primary_key=True, editable=False)
    log = models.UUIDField(db_index=True)
    last_offset = models.BigIntegerField()
    version = models.BigIntegerField()
    owner_id = models.UUIDField(null=True)
    address = models.TextField()
    types = StoredJSON()
    label_sets = StoredJSON()
    name = models.TextField()
    paused = models.BooleanField()
    removed = models.BooleanField()
    generation = models.BigIntegerField()
    secret_at = models.DateTimeField()
    created_offset = models.BigIntegerField()
    created_by = models.UUIDField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()


class WebhookCursor(models.Model):
    """How far a dataset's log is told to a webhook, and what comes next. No projection, but what happened outside: it
    says what a host took. Everything up to `offset` was taken, or was not asked for.

    `lease` is whose turn it is, until `leased_until`; nobody else tells this webhook of this log meanwhile.
    """

    class State(models.TextChoices):
        """Whether it goes on by itself."""

        ACTIVE = "active"
        STOPPED = "stopped"  #: too many failures; it waits for somebody

    webhook_id = models.UUIDField()
    log = models.UUIDField()
    offset = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    failures = models.IntegerField(default=0)
    reason = models.TextField(blank=True)
    next_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    last_ms = models.IntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["webhook_id", "log"], name="one_webhook_cursor_a_log")]


class WebhookDelivery(models.Model):
    """One message to a webhook, and what became of it; nothing of what was said, or of what was answered.

    `offset` is 0 and `log` null for a ping. Kept for a time only.
    """

    class State(models.TextChoices):
        """What became of it."""

        WAITING = "waiting"
        DELIVERED = "delivered"
        FAILING = "failing"
        DEAD = "dead"

    webhook_id = models.UUIDField()
    log = models.UUIDField(null=True)
    offset = models.BigIntegerField()
    message = models.CharField(max_length=40)
    type = models.CharField(max_length=50)
    state = models.CharField(max_length=10, choices=State.choices)
    attempts = models.IntegerField(default=0)
    status_code = models.IntegerField(null=True)
    duration_ms = models.IntegerField(null=True)
    problem = models.TextField(blank=True)
    first_at = models.DateTimeField(auto_now_add=True)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["webhook_id", "message"], name="one_delivery_a_message")]
        indexes = [
            models.Index(fields=["webhook_id", "last_at"], name="delivery_by_time"),
            # Pings, which the sweeper asks for every few seconds, and hardly any message is one.
            models.Index(fields=["webhook_id"], name="delivery_waiting", condition=models.Q(state="waiting")),
        ]

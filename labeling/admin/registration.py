"""Which pages there are: registered in one place, on the one site."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from dramatiq_postgres.django.models import Job

from labeling.admin.datasets import DatasetAdmin
from labeling.admin.events import EventAdmin
from labeling.admin.issues import IssueAdmin
from labeling.admin.jobs import JobAdmin
from labeling.admin.label_sets import LabelSetAdmin
from labeling.admin.labels import LabelAdmin
from labeling.admin.logins import AdminLoginForm
from labeling.admin.organizations import OrganizationAdmin
from labeling.admin.people import KeyAdmin, PersonAdmin
from labeling.admin.samples import SampleAdmin
from labeling.models import (
    ApiKey,
    Dataset,
    Issue,
    Label,
    LabelSet,
    OrganizationMember,
    Person,
    Sample,
    StoredEvent,
)


def register(site: AdminSite) -> None:
    """Put the pages of labeling on the site."""
    site.register(Dataset, DatasetAdmin)
    site.register(Sample, SampleAdmin)
    site.register(LabelSet, LabelSetAdmin)
    site.register(Label, LabelAdmin)
    site.register(Issue, IssueAdmin)
    site.register(StoredEvent, EventAdmin)
    site.register(Person, PersonAdmin)
    site.register(OrganizationMember, OrganizationAdmin)
    site.register(ApiKey, KeyAdmin)
    site.register(Job, JobAdmin)
    site.login_form = AdminLoginForm
    # One command for each row that somebody chose, in the place of a deletion past the log.
    site.disable_action("delete_selected")

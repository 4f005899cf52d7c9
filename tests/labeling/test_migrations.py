"""What migrations do to the rows that are already there."""

from __future__ import annotations

from importlib import import_module

from django.db import connection

from labeling.log import rebuild
from labeling.models import Sample


def test_samples_of_an_older_version_get_the_offset_at_which_they_came(dataset, person, sample):
    ana = person("ana")
    made = dataset(ana)
    ids = [sample(made, ana) for _ in range(3)]
    told = dict(Sample.objects.filter(dataset_id=made).values_list("id", "created_offset"))
    assert sorted(told.values()) == [told[item] for item in ids] and 0 not in told.values()
    Sample.objects.filter(dataset_id=made).update(created_offset=0)
    with connection.cursor() as cursor:
        cursor.execute(import_module("labeling.migrations.0006_lists").FILL)
    assert dict(Sample.objects.filter(dataset_id=made).values_list("id", "created_offset")) == told
    assert rebuild.differences(made) == {}

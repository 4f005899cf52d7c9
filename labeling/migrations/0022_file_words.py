"""A file that a dataset refers to is called one on its pages."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("labeling", "0021_less_in_an_append")]

    operations = [migrations.AlterModelOptions(name="datasetasset", options={"verbose_name": "file"})]

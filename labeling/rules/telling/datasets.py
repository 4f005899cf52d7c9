"""What happens to a dataset itself: settings, categories, label sets, members, days of work."""

from __future__ import annotations

from labeling import events as e
from labeling.log.event import Fact
from labeling.rules.telling.phrases import listed, shown
from labeling.rules.telling.told import Teller, changed, of_category, said, tell


def _member(words: str) -> Teller:
    return lambda told: words.format(told.person(told.fact.person), getattr(told.fact, "role", ""))


DATASETS: tuple[tuple[type[Fact], Teller], ...] = (
    (e.DatasetCreated, said("created the dataset {}", "name")),
    (e.DatasetSettingsChanged, changed("dataset")),
    (e.DatasetDeleted, said("deleted the dataset")),
    (e.CategoryAdded, lambda told: f"added the category {shown(told.fact.category.get('name'))}"),
    (e.CategoryRenamed, lambda told: f"renamed {told.category(told.fact.id)} to {shown(told.fact.name)}"),
    (e.CategoryRecolored, of_category("recoloured {}", "id")),
    (e.CategoryDeprecated, of_category("deprecated {}", "id")),
    (e.CategoryMerged, lambda told: f"merged {told.category(told.fact.id)} into {told.category(told.fact.into)}"),
    (e.CategoryChanged, of_category("changed {}", "id")),
    (e.CategoryRemoved, of_category("removed {}", "id")),
    (e.LabelSetCreated, said("created the label set {}", "name")),
    (e.LabelSetArchived, said("deleted a label set")),
    (e.MemberAdded, _member("added {} as {}")),
    (e.MemberRoleChanged, _member("made {} a {}")),
    (e.MemberRemoved, _member("removed {} from the dataset")),
    (e.GuidelineSet, lambda told: f"put version {told.fact.version} of the guideline in force"),
    (
        e.DatasheetSet,
        lambda told: f"said in the datasheet: {listed(sorted(key.replace('_', ' ') for key in told.fact.changes))}",
    ),
    (e.ActivityClosed, said("closed a day of work: its signals are deleted")),
)
for _type, _teller in DATASETS:
    tell(_type, _teller)

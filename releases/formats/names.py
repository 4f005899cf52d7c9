"""What a format calls the categories, whose names it may not be able to say as they are. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from releases.formats.format import APPROXIMATED, Losses, Options
from releases.formats.records import Category, Dataset
from releases.formats.texts import word


def names_of(categories: Iterable[Category], said: Callable[[str], str]) -> dict[int, str]:
    """The name of each category, by its id; `said` gives a name as the format has it, and a blank one is an underscore.

    Whoever can be called by its own name is. Of others that would have one name the later get a number, as files do:
    else nobody could tell them apart any more. Categories that have one name keep one.
    """
    categories = list(categories)
    found = {item.name: item.name for item in categories if item.name and said(item.name) == item.name}
    taken = set(found)
    for item in categories:
        if item.name in found:
            continue
        stem = name = said(item.name) or "_"
        number = 1
        while name in taken:
            number += 1
            name = f"{stem}~{number}"
        taken.add(name)
        found[item.name] = name
    return {item.id: found[item.name] for item in categories}


def tell_of_names(said: Callable[[str], str]) -> Callable[[Dataset, Options, Losses], None]:
    """What lists the categories that a format calls something else."""

    def tell(dataset: Dataset, options: Options, losses: Losses) -> None:
        names = names_of(dataset.categories, said)
        for item in dataset.categories:
            if names[item.id] != item.name:
                losses.add("name of a category", APPROXIMATED, sample="", said=f"{item.name} → {names[item.id]}")

    return tell


#: Lists the categories whose names are not one word.
tell_of_words = tell_of_names(word)

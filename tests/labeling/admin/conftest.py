"""The installation that the admin's tests work in."""

from __future__ import annotations

import pytest

from tests.labeling.admin.world import World, make_world


@pytest.fixture
def world(db: None) -> World:
    return make_world()

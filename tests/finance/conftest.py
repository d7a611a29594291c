from __future__ import annotations

import pytest

from tests.finance.school import School
from tests.kpis.life import Life
from tests.world import World


@pytest.fixture
def life(world: World) -> Life:
    return Life(world)


@pytest.fixture
def taught(world: World) -> School:
    return School(world)

from __future__ import annotations

import pytest

from tests.kpis.life import Life
from tests.world import World


@pytest.fixture
def life(world: World) -> Life:
    return Life(world)

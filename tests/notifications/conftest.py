from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guitaronline.booking.models import Booking
from tests.jobs.processes import Processes, processes
from tests.servers import Servers
from tests.world import World


@pytest.fixture
def run(mine: Servers, tmp_path: Path) -> Iterator[Processes]:
    """Starts processes of the product; Redis is empty before and after."""
    with processes(mine, tmp_path) as started:
        yield started


@pytest.fixture
def booking(world: World) -> Booking:
    """Ann's, confirmed."""
    world.package()
    return world.booking()

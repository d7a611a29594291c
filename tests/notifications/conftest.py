from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from guitaronline.booking.models import Booking
from guitaronline.db import technical_transaction
from tests.jobs.processes import Processes, processes
from tests.servers import Servers
from tests.world import World

TOLD = text("UPDATE outbox_events SET status = 'done', closed_at = clock_timestamp() WHERE status = 'pending'")


@pytest.fixture
def run(mine: Servers, tmp_path: Path) -> Iterator[Processes]:
    """Starts processes of the product; Redis is empty before and after."""
    with processes(mine, tmp_path) as started:
        yield started


@pytest.fixture
def booking(world: World) -> Booking:
    """Ann's, confirmed; what was told of making it is over."""
    world.package()
    made = world.booking()
    with technical_transaction() as session:
        session.execute(TOLD)
    return made

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.jobs.processes import Processes, processes
from tests.servers import Servers


@pytest.fixture
def run(mine: Servers, tmp_path: Path) -> Iterator[Processes]:
    """Starts processes of the product; Redis is empty before and after."""
    with processes(mine, tmp_path) as started:
        yield started


@pytest.fixture
def redis(mine: Servers) -> Iterator[Redis]:
    """This process's Redis number, empty before and after."""
    with Redis.from_url(mine.redis_url) as connection:
        connection.flushdb()
        yield connection
        connection.flushdb()

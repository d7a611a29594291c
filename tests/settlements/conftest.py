from __future__ import annotations

from tests.providers.conftest import fake

__all__ = ["fake"]

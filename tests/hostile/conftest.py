"""The hostile account, mirrored into a real store."""

from __future__ import annotations

from tests.stores.conftest import postgresql
from tests.sync.conftest import account, empty_database, mirror

__all__ = ["account", "empty_database", "mirror", "postgresql"]

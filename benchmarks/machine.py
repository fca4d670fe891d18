"""Names the machine that the figures come from."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")


def machine() -> dict[str, str]:
    """Return date, processor, cores, system, Python and the packages that do the work."""
    return {
        "date": datetime.now(tz=timezone.utc).date().isoformat(),
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count()),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{name: version(name) for name in ("mlflow", "boto3", "sqlalchemy")},
    }


def _cpu_model() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

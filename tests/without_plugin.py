"""An interpreter that has every package of this one but ours, as where nobody installed it."""

from __future__ import annotations

import venv
from pathlib import Path

import mlflow


def python_without_plugin(folder: Path) -> str:
    """Make an environment below a folder, and return its interpreter."""
    home, packages = folder / "without-plugin", folder / "packages"
    if not home.exists():
        packages.mkdir()
        for each in Path(mlflow.__file__).parents[1].iterdir():
            if "smwatch" not in each.name and each.suffix != ".pth":
                (packages / each.name).symlink_to(each)
        venv.create(home, symlinks=True)
        (site,) = home.glob("lib/python*/site-packages")
        (site / "packages.pth").write_text(f"{packages}\n", encoding="utf-8")
    return str(home / "bin" / "python")

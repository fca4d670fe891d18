"""The bar that shows how a followed job goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlflow_smwatch.tracking.mirrored_run import MirroredRun

Show = Callable[[MirroredRun, int], None]
"""Shows a job's run, and the number of points that a pass has written."""


@contextmanager
def job_bar(name: str) -> Iterator[Show]:
    """Show status, phase and points of a job, on a terminal or in a notebook; else nothing.

    Parameters
    ----------
    name
        What stands before it.

    Yields
    ------
    Show
        Moves the bar.
    """
    from tqdm.auto import tqdm

    with tqdm(
        desc=name, unit=" points", disable=not is_watched(), file=sys.stderr, mininterval=0
    ) as bar:

        def show(run: MirroredRun, points: int) -> None:
            bar.set_postfix_str(_state(run), refresh=False)
            bar.update(points)
            bar.refresh()

        yield show


def is_watched() -> bool:
    """Whether somebody sees what is drawn: on a terminal, or in a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    in_notebook = "IPKernelApp" in getattr(shell, "config", ())
    return in_notebook or bool(getattr(sys.stderr, "isatty", lambda: False)())


def _state(run: MirroredRun) -> str:
    told = (run.data.tags.get(f"sagemaker.{key}") for key in ("status", "secondary_status"))
    return ", ".join(dict.fromkeys(each for each in told if each)) or str(run.info.status)

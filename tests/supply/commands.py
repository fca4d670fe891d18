"""Several commands in one process, as a shell would run them one after the other."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable

_DRIVER = """\
import json, os, sys
from mlflow_smwatch.cli import main
os.umask(int(sys.argv[1], 8))
for words in json.loads(sys.argv[2]):
    code = main.main(words, "smwatch", standalone_mode=False)
    if code not in (None, 0, 1):
        sys.exit(f"{words}: {code}")
"""


def program(commands: Iterable[Iterable[str]], umask: str = "022") -> tuple[str, ...]:
    """Give a program that runs commands; it fails where one cannot do anything."""
    return (sys.executable, "-c", _DRIVER, umask, json.dumps([list(each) for each in commands]))

"""Run commands of the program one after the other in a process of their own.

Enters, on stdin: a JSON list of lists of arguments. Leaves, on stdout: a JSON list of exit code,
stdout and stderr of each.
"""

from __future__ import annotations

import json
import sys

from click.testing import CliRunner

from mlflow_smwatch.cli import main

if __name__ == "__main__":
    ended = []
    for arguments in json.load(sys.stdin):
        result = CliRunner().invoke(main, arguments)
        unexpected = result.exception is not None and not isinstance(result.exception, SystemExit)
        trouble = f"Traceback: {result.exception!r}" if unexpected else ""
        ended.append((result.exit_code, result.stdout, result.stderr + trouble))
    json.dump(ended, sys.stdout)

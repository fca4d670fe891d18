"""Reads every trial component as scripts do today: listed trial by trial, described one by one."""

from __future__ import annotations

import json
import sys
import time

import boto3

_PAGE = 100


def main() -> None:
    """Read the components of the trials that are named; print calls, components and seconds."""
    sagemaker = boto3.client("sagemaker")
    calls = components = 0
    started = time.perf_counter()
    for trial in sys.argv[1:]:
        request = {"TrialName": trial, "MaxResults": _PAGE}
        while True:
            page = sagemaker.list_trial_components(**request)
            calls += 1
            for summary in page["TrialComponentSummaries"]:
                name = summary["TrialComponentName"]
                sagemaker.describe_trial_component(TrialComponentName=name)
                calls += 1
                components += 1
            if "NextToken" not in page:
                break
            request["NextToken"] = page["NextToken"]
    seconds = time.perf_counter() - started
    print(json.dumps({"calls": calls, "components": components, "seconds": seconds}))


if __name__ == "__main__":
    main()

"""The environment in which AWS clients find the emulated account and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow_smwatch.demo.account import EmulatedAccount

_LOOPBACK = ("127.0.0.1", "localhost")
_NO_PROXY = ("NO_PROXY", "no_proxy")


@contextmanager
def emulated_environment(account: EmulatedAccount) -> Iterator[None]:
    """Let every AWS client of this process reach an emulated account, for the duration of a block.

    The user's own AWS variables and files are out of sight meanwhile, for some lead past
    ``AWS_ENDPOINT_URL`` (`AWS documentation, service-specific endpoints
    <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>`_), and a proxy is
    not asked for loopback. Processes that are started in the block inherit all this.

    Parameters
    ----------
    account
        Being served.
    """
    before = {name: value for name, value in os.environ.items() if _is_concerned(name)}
    hosts = before.get("no_proxy") or before.get("NO_PROXY", "")
    clean = {
        **account.environment,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **dict.fromkeys(_NO_PROXY, _with_loopback(hosts)),
    }
    try:
        _replace(clean)
        yield
    finally:
        _replace(before)


def _is_concerned(name: str) -> bool:
    return name.startswith("AWS_") or name in _NO_PROXY


def _with_loopback(hosts: str) -> str:
    return ",".join(dict.fromkeys((*filter(None, hosts.split(",")), *_LOOPBACK)))


def _replace(variables: dict[str, str]) -> None:
    for name in filter(_is_concerned, list(os.environ)):
        del os.environ[name]
    os.environ.update(variables)

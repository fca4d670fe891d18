"""A notebook instance, in service since yesterday, with the logs of its start."""

from __future__ import annotations

from datetime import datetime, timedelta

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.account_clients import AccountClients
from mlflow_smwatch.demo.job_requests import EMULATED, tag_list

NOTEBOOK = "wine-explorer"
GROUP = "/aws/sagemaker/NotebookInstances"
LIFECYCLE_CONFIG = "install-mlflow"
_AGE = timedelta(days=1)
_SETTING_UP = (
    "+ python -m pip install --quiet mlflow",
    "+ echo 'MLflow is installed'",
    "MLflow is installed",
)
_SERVING = (
    "[I ServerApp] Serving notebooks from local directory: /home/ec2-user/SageMaker",
    "[I ServerApp] Jupyter Server is running at:",
    "[I ServerApp] https://localhost:8443/",
)


def put_notebook(account: EmulatedAccount, clients: AccountClients, now: datetime) -> None:
    """Put a notebook instance into service, as of a day ago.

    Parameters
    ----------
    account
        Where it is.
    clients
        Make it.
    now
        Aware; the account's present.
    """
    made = now - _AGE
    with account.clock.at(made):
        clients.sagemaker.create_notebook_instance(
            NotebookInstanceName=NOTEBOOK,
            InstanceType="ml.t3.medium",
            RoleArn=clients.role,
            LifecycleConfigName=LIFECYCLE_CONFIG,
            PlatformIdentifier="notebook-al2-v3",
            Tags=tag_list(EMULATED),
        )
    ready = made + timedelta(minutes=5)
    account.update_job(
        "notebook-instance", NOTEBOOK, NotebookInstanceStatus="InService", LastModifiedTime=ready
    )
    _put_log(account, "LifecycleConfigOnStart", _SETTING_UP, made + timedelta(minutes=4))
    _put_log(account, "jupyter.log", _SERVING, ready)


def _put_log(
    account: EmulatedAccount, stream: str, lines: tuple[str, ...], begin: datetime
) -> None:
    """Put lines into a log stream, one a second."""
    begin_ms = round(begin.timestamp() * 1000)
    events = [(begin_ms + 1000 * number, line) for number, line in enumerate(lines)]
    account.put_log_events(GROUP, f"{NOTEBOOK}/{stream}", events, publish=False)

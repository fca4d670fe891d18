"""``smwatch policy``."""

from __future__ import annotations

import json
import re
from typing import Any

import click

from mlflow_smwatch.cli.alerting import rule_options, topics_of
from mlflow_smwatch.cli.config import from_file
from mlflow_smwatch.cli.options import (
    Command,
    alarms_option,
    artifacts_option,
    file_option,
    json_option,
    kinds_option,
    metrics_option,
    option,
    place_options,
    register_option,
)
from mlflow_smwatch.cli.output import print_result
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.publishing_names import DEFAULT_NAMESPACE
from mlflow_smwatch.core.rule_targets import Target
from mlflow_smwatch.core.rules import Rule
from mlflow_smwatch.options import each_place

_ACCOUNT = re.compile(r"[0-9]{12}")


@click.command(cls=Command)
@kinds_option
@metrics_option
@alarms_option
@artifacts_option
@register_option
@option(
    "--queue",
    "queue_url",
    help="URL of the SQS queue that drives 'smwatch watch', which then takes messages out of it.",
)
@option(
    "--prices",
    metavar="FILE|aws",
    help="With aws, the prices of instances are asked of the Price List API.",
)
@option(
    "--without-search",
    is_flag=True,
    help="For callers that may not call sagemaker:Search: with what stands in for it.",
)
@option(
    "--publishing",
    "publish",
    is_flag=False,
    flag_value=DEFAULT_NAMESPACE,
    metavar="[NAMESPACE]",
    help="To write, for 'smwatch publish' into this CloudWatch namespace, mlflow where none"
    " follows, and for 'smwatch dashboard'.",
)
@rule_options
@place_options
@option("--account", metavar="ID", help="Narrow resources to this AWS account, twelve digits.")
@json_option
@file_option
@from_file("source", "sources")
def policy(  # noqa: PLR0913 - one for each option that is the command's own
    *,
    queue_url: str | None,
    publish: str | None,
    rules: tuple[Rule, ...],
    named: tuple[Target, ...],
    notified: tuple[str, ...],
    account: str | None,
    without_search: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Print the least-privilege IAM policy for the chosen kinds and options.

    All of it only reads, but for the messages that a watch takes out of its --queue, and for what
    --publishing is for. Resources are as narrow as AWS allows; give --region and --account to
    narrow them further, and --region where it is not in the partition aws. With --assume-role: the
    policy of the role and that of its caller, as "role" and "caller". Needs no credentials and no
    network; --profile has no effect.

    Exit codes: 0 printed, 2 wrong usage.

    \b
    Examples:
      smwatch policy
      smwatch policy --kinds training-job,trial --metrics cloudwatch
      smwatch policy --artifacts overlay --region eu-west-1 --account 123456789012
      smwatch policy --queue https://sqs.eu-west-1.amazonaws.com/123456789012/smwatch
      smwatch policy --assume-role arn:aws:iam::123456789012:role/smwatch
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
    if account is not None and not _ACCOUNT.fullmatch(account):
        message = f"--account {account!r}: give twelve digits"
        raise UsageError(message)
    targets = each_place(**chosen)
    from mlflow_smwatch.policy import policy as make

    made = make(
        targets,
        queue_url=queue_url,
        account=account,
        search=not without_search,
        publish=publish,
        topics=topics_of(rules, named, notified),
    )
    print_result(made, iter((json.dumps(made, indent=2),)), as_json=as_json)

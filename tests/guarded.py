"""An emulated account that enforces an IAM policy, and keeps what ``Search`` does not know yet.

Which resource a request is about is written down here once more, on purpose, from the Service
Authorization Reference; the policy is judged by the emulator's own evaluation.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult

from mlflow_smwatch.demo.account import EmulatedAccount, Request
from mlflow_smwatch.demo.errors import AwsError
from mlflow_smwatch.demo.wire import (
    Call,
    HttpRequest,
    answer_reply,
    error_reply,
    read_call,
    service_error,
)
from tests.jobs import ACCOUNT, REGION

_DASHBOARD = f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{{DashboardName}}"
_NAMED = {
    "GetDashboard": _DASHBOARD,
    "PutDashboard": _DASHBOARD,
    "DescribeTrainingJob": "training-job/{TrainingJobName}",
    "DescribeProcessingJob": "processing-job/{ProcessingJobName}",
    "DescribeTransformJob": "transform-job/{TransformJobName}",
    "DescribeHyperParameterTuningJob": "hyper-parameter-tuning-job/{HyperParameterTuningJobName}",
    "ListTrainingJobsForHyperParameterTuningJob": (
        "hyper-parameter-tuning-job/{HyperParameterTuningJobName}"
    ),
    "DescribeAutoMLJobV2": "automl-job/{AutoMLJobName}",
    "DescribeEndpoint": "endpoint/{EndpointName}",
    "DescribeEndpointConfig": "endpoint-config/{EndpointConfigName}",
    "DescribeInferenceComponent": "inference-component/{InferenceComponentName}",
    "DescribeNotebookInstance": "notebook-instance/{NotebookInstanceName}",
    "DescribeModel": "model/{ModelName}",
    "DescribeModelPackage": "model-package/{ModelPackageName}",
    "DescribeExperiment": "experiment/{ExperimentName}",
    "DescribeMonitoringSchedule": "monitoring-schedule/{MonitoringScheduleName}",
    "DescribeTrial": "experiment-trial/{TrialName}",
    "DescribeTrialComponent": "experiment-trial-component/{TrialComponentName}",
    "DescribePipelineExecution": "{PipelineExecutionArn}",
    "ListPipelineExecutions": "pipeline/{PipelineName}",
    "ListPipelineExecutionSteps": "{PipelineExecutionArn}",
    "ListPipelineParametersForExecution": "{PipelineExecutionArn}",
    "DescribeArtifact": "{ArtifactArn}",
    "DescribeContext": "context/{ContextName}",
    "ListTags": "{ResourceArn}",
}
_FREE = "sts:GetCallerIdentity"
_QUOTAS = "servicequotas:ListServiceQuotas"
_ACTIONS = {
    "sagemaker-metrics:BatchGetMetrics": "sagemaker:BatchGetMetrics",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}


class GuardedAccount(EmulatedAccount):
    """The account, in which a caller may do what a policy allows.

    Attributes
    ----------
    policy
        The document; None as long as everything is allowed.
    used
        How often each IAM action was asked for.
    quotas
        What Service Quotas tells, name → value; None where it is not served.
    """

    def __init__(self) -> None:
        super().__init__()
        self.policy: Mapping[str, Any] | None = None
        self.used: Counter[str] = Counter()
        self.quotas: Mapping[str, float] | None = None

    def lag(self, *resources: str) -> None:
        """Let ``Search`` know nothing of some resources, as if they were made a moment ago."""
        self._home.records.update(dict.fromkeys(resources, tuple))

    def _answer(self, request: HttpRequest) -> Any:
        call = read_call(request, self.region)
        action = _ACTIONS.get(call.name, call.name)
        if call.name != _FREE:
            self.used[action] += 1
        if call.name == _QUOTAS and self.quotas is not None:
            told = [{"QuotaName": name, "Value": value} for name, value in self.quotas.items()]
            return answer_reply(call, {"Quotas": told}), None
        if call.name == _FREE or self._allows(action, call):
            return super()._answer(request)
        message = f"User: tester is not authorized to perform: {action}"
        error = service_error(call, AwsError("AccessDeniedException", message))
        reply = error_reply(call, error)
        self.calls[call.name] += 1
        self.requests.append(
            Request(operation=call.name, parameters=call.parameters, status=reply.status)
        )
        return reply, None

    def _allows(self, action: str, call: Call) -> bool:
        if self.policy is None:
            return True
        judge = IAMPolicy(json.dumps(self.policy))
        answers = {judge.is_action_permitted(action, each) for each in resources_of(call)}
        return answers == {PermissionResult.PERMITTED}


def resources_of(call: Call) -> tuple[str, ...]:
    """Tell the ARNs of what a request is about."""
    given, here = call.parameters, f"{REGION}:{ACCOUNT}"
    if call.service == "s3":
        return (
            "arn:aws:s3:::" + "/".join(given[key] for key in ("Bucket", "Key") if key in given),
        )
    if call.service == "sqs":
        return (f"arn:aws:sqs:{here}:{given['QueueUrl'].rpartition('/')[2]}",)
    if call.service == "logs":
        group = given.get("logGroupName") or given["logGroupIdentifier"]
        stream = f":log-stream:{given['logStreamName']}" if "logStreamName" in given else ":*"
        return (f"arn:aws:logs:{here}:log-group:{group}{stream}",)
    if call.service == "sagemaker-metrics":
        return tuple({each["ResourceArn"] for each in given["MetricQueries"]})
    if call.operation in _NAMED:
        named = _NAMED[call.operation].format(**given)
        named = named[named.rfind("arn:") :] if "arn:" in named else named
        return (named if named.startswith("arn:") else f"arn:aws:sagemaker:{here}:{named}",)
    return ("*",)

"""An Autopilot job. It ran nowhere: its figures are synthetic, and its tags say so."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from mlflow_smwatch.demo.account import EmulatedAccount
from mlflow_smwatch.demo.account_clients import AccountClients
from mlflow_smwatch.demo.contents.reports import put_candidate_reports
from mlflow_smwatch.demo.job_requests import EMULATED

NAME = "wine-autopilot-synthetic"
TAGS = {**EMULATED, "figures": "synthetic"}
OBJECTIVE = "F1macro"
SCORES = (0.912, 0.957, 0.934)
LASTED = timedelta(minutes=48)
AGE = timedelta(days=5, hours=3)


def put_automl_job(account: EmulatedAccount, clients: AccountClients, now: datetime) -> None:
    """Store an ended job with one candidate for each score."""
    created = now - AGE
    candidates = [_candidate(number, score, created) for number, score in enumerate(SCORES)]
    properties = put_candidate_reports(clients, NAME)
    best = max(candidates, key=_score) | {"CandidateProperties": properties}
    source = {"S3DataType": "S3Prefix", "S3Uri": clients.uri("datasets/wine/raw/")}
    account.put_job(
        "automl-job",
        {
            "AutoMLJobName": NAME,
            "AutoMLJobStatus": "Completed",
            "AutoMLJobSecondaryStatus": "Completed",
            "AutoMLJobInputDataConfig": [
                {
                    "ChannelType": "training",
                    "ContentType": "text/csv;header=present",
                    "DataSource": {"S3DataSource": source},
                }
            ],
            "OutputDataConfig": {"S3OutputPath": clients.uri(f"{NAME}/output")},
            "RoleArn": clients.role,
            "AutoMLJobObjective": {"MetricName": OBJECTIVE},
            "AutoMLProblemTypeConfig": {"TabularJobConfig": {"TargetAttributeName": "cultivar"}},
            "AutoMLProblemTypeConfigName": "Tabular",
            "BestCandidate": best,
            "CreationTime": created,
            "EndTime": created + LASTED,
            "LastModifiedTime": created + LASTED,
        },
        TAGS,
        candidates=candidates,
    )


def _candidate(number: int, score: float, created: datetime) -> dict[str, Any]:
    started = created + timedelta(minutes=12 + 10 * number)
    ended = started + timedelta(minutes=9)
    return {
        "CandidateName": f"{NAME}-{number + 1}",
        "CandidateStatus": "Completed",
        "ObjectiveStatus": "Succeeded",
        "FinalAutoMLJobObjectiveMetric": {
            "Type": "Maximize",
            "MetricName": OBJECTIVE,
            "Value": score,
        },
        "CandidateSteps": [],
        "CreationTime": started,
        "EndTime": ended,
        "LastModifiedTime": ended,
    }


def _score(candidate: dict[str, Any]) -> float:
    score: float = candidate["FinalAutoMLJobObjectiveMetric"]["Value"]
    return score

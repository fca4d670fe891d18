"""Reports that SageMaker's features leave in S3, and what evaluations came to: facts of a job.

Sources: the ``sagemaker`` service model; "Configure Debugger hook", "Debugger profiling report",
"Clarify processing job results", "Schema for constraint violations"; the SageMaker Python SDK
(``rule-output``, ``analysis_result``, ``monitoring_output``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from mlflow_smwatch.core.job import Job
from mlflow_smwatch.core.job_kinds import PROCESSING_JOB, TRAINING_JOB
from mlflow_smwatch.core.keys import legal_key
from mlflow_smwatch.core.mappers.answers import Answer, arn_in, part, parts, s3_uri, text

RULE, REPORT = "rule.", "report."
PROFILING = "profiling_status"
SCHEDULE, MONITORING_TYPE = "monitoring_schedule", "monitoring_type"
MONITORING_STATUS = "monitoring_status"
NOTEBOOK = ".ipynb"
RULES_MS = 24 * 60 * 60 * 1000
"""How long after a job's end the mirror asks and waits for its rules."""

_DETAILS = ".details"
_EVALUATING = frozenset({"InProgress", "Stopping"})
_STATUSES = ("DebugRuleEvaluationStatuses", "ProfilerRuleEvaluationStatuses")
PROFILER_FIELDS = ("ProfilingStatus", "ProfilerRuleConfigurations", _STATUSES[1])
"""What ``Search`` lacks of a training job's profiler."""

_OUTPUTS = frozenset({"analysis_result", "monitoring_output"})
"""Outputs of Clarify's jobs, and of those that make Model Monitor's baselines."""

_CANDIDATE = (
    ("explainability", "Explainability"),
    ("model_insights", "ModelInsights"),
    ("backtest_results", "BacktestResults"),
)
_NOTEBOOKS = (
    ("data_exploration_notebook", "DataExplorationNotebookLocation"),
    ("candidate_definition_notebook", "CandidateDefinitionNotebookLocation"),
)
_EXIT = re.compile(r"([A-Za-z]+)(?::|$)")
_TITLES = {
    "rules": "Rule reports",
    "profiler": "Profiler data",
    "debugger": "Debugger tensors",
    "analysis_result": "Clarify report",
    "monitoring_output": "Monitoring report",
}

Facts = tuple[tuple[str, str], ...]


def training_facts(answer: Answer) -> Facts:
    """Give what a training job's rules came to, and where Debugger and Profiler write.

    Parameters
    ----------
    answer
        ``DescribeTrainingJob``, or the record of ``Search``, which lacks the profiler's rules.

    Returns
    -------
    tuple of (str, str)
        Names without ``sagemaker.``, and values.
    """
    name = text(answer, "TrainingJobName") or ""
    hook = text(answer, "DebugHookConfig", "S3OutputPath")
    profiler = text(answer, "ProfilerConfig", "S3OutputPath")
    profiles = profiler if part(answer, "ProfilerConfig").get("DisableProfiler") is not True else ""
    rules = text(answer, "OutputDataConfig", "S3OutputPath")
    has_rules = profiles or any(map(answer.get, ("DebugRuleConfigurations", *_STATUSES)))
    places = (
        ("debugger", _folder(hook, name, "debug-output")),
        ("profiler", _folder(profiles, name, "profiler-output")),
        ("rules", _folder(rules, name, "rule-output") if has_rules else None),
    )
    told = any(field in answer for field in PROFILER_FIELDS)
    status = text(answer, "ProfilingStatus") or ("Enabled" if told and profiles else None)
    return (
        *(((PROFILING, status),) if status else ()),
        *_reports(*places),
        *(fact for field in _STATUSES for fact in _rules(parts(answer, field))),
    )


def automl_facts(answer: Answer) -> Facts:
    """Give where Autopilot left its notebooks and the reports of the best candidate."""
    notebooks = part(answer, "AutoMLJobArtifacts")
    best = part(answer, "BestCandidate", "CandidateProperties", "CandidateArtifactLocations")
    return _reports(
        *((name, s3_uri(notebooks, field)) for name, field in _NOTEBOOKS),
        *((name, s3_uri(best, field)) for name, field in _CANDIDATE),
    )


def processing_facts(answer: Answer) -> Facts:
    """Give where Clarify and Model Monitor wrote, and what a monitoring execution came to."""
    schedule = schedule_of(answer)
    outputs = parts(answer, "ProcessingOutputConfig", "Outputs")
    reports = (
        (name, s3_uri(each, "S3Output", "S3Uri"))
        for each in outputs
        if (name := text(each, "OutputName")) and (schedule or name in _OUTPUTS)
    )
    if schedule is None:
        return _reports(*reports)
    said = _EXIT.match(text(answer, "ExitMessage") or "")
    status = ((MONITORING_STATUS, said[1]),) if said else ()
    return ((SCHEDULE, schedule), *status, *_reports(*reports))


def schedule_of(answer: Answer) -> str | None:
    """Name the monitoring schedule that started a processing job.

    An ARN may hold the name in small letters; the container's environment has it as it is
    ("Container contract inputs").
    """
    arn = arn_in(answer, "MonitoringScheduleArn")
    if arn is None:
        return None
    return text(answer, "Environment", "sagemaker_monitoring_schedule_name") or arn.resource_name


def with_rules(job: Job, answer: Answer) -> Job:
    """Take what ``DescribeTrainingJob`` tells of a job's rules in place of what is known.

    Parameters
    ----------
    job
        The job.
    answer
        Of ``DescribeTrainingJob``; that it tells nothing of the profiler's rules counts too.
    """
    own = (RULE, REPORT, PROFILING)
    others = tuple(fact for fact in job.facts if not fact[0].startswith(own))
    told = {"ProfilingStatus": "Enabled", **answer}
    return replace(job, facts=(*others, *training_facts(told)))


def lacks_rules(job: Job) -> bool:
    """Whether only ``DescribeTrainingJob`` tells what came of an ended job's profiler rules."""
    facts = dict(job.facts)
    if job.kind is not TRAINING_JOB or not job.ended or f"{REPORT}profiler" not in facts:
        return False
    return PROFILING not in facts or is_evaluating(job)


def are_rules_old(job: Job, now_ms: int) -> bool:
    """Whether what is lacking of a job's rules takes a call that old jobs are not worth.

    ``Search`` does not tell whether a profiler has rules, and the SDK's jobs have one unless they
    say otherwise: a backfill would describe each of them.

    Parameters
    ----------
    job
        The job.
    now_ms
        When the pass began, milliseconds since the epoch.
    """
    return lacks_rules(job) and (job.ended_ms or job.modified_ms) + RULES_MS <= now_ms


def lacks_rules_told(tags: Mapping[str, str]) -> bool:
    """Whether a run is of a job with a profiler, and nobody has asked what came of its rules."""
    return f"sagemaker.{REPORT}profiler" in tags and f"sagemaker.{PROFILING}" not in tags


def is_evaluating(job: Job) -> bool:
    """Whether a rule of a job is still being evaluated."""
    return any(value in _EVALUATING for name, value in job.facts if _is_rule(name))


def awaits_rules(job: Job, now_ms: int) -> bool:
    """Whether a job is over, its rules are not, and that is not too long ago."""
    recent = job.ended_ms is not None and now_ms < job.ended_ms + RULES_MS
    return job.ended and recent and is_evaluating(job)


def remembered(job: Job, tags: Mapping[str, str]) -> Job:
    """Add what an earlier look told of profiler rules, or of a schedule, and this one cannot.

    Parameters
    ----------
    job
        As AWS describes it now.
    tags
        Of its run.
    """
    wanted = _untold({name for name, _ in job.facts}) if job.facts and tags else ()
    if not wanted:
        return job
    known = {legal_key(f"sagemaker.{name}") for name, _ in job.facts}
    added = tuple(
        (key.removeprefix("sagemaker."), value)
        for key, value in sorted(tags.items())
        if key.startswith(wanted) and key not in known
    )
    return replace(job, facts=(*job.facts, *added)) if added else job


def rules_in_words(job: Job, most: int = 5) -> str:
    """Say what a job's rules came to; that they are not over; an empty text where it has none."""
    rules = [(name.removeprefix(RULE), value) for name, value in job.facts if _is_rule(name)]
    if not rules:
        return ""
    if is_evaluating(job) or not job.ended:
        return f"Rules: {len(rules)}, see the tags sagemaker.rule"
    shown = ", ".join(f"{name} {value}" for name, value in rules[:most])
    rest = f" and {len(rules) - most} more" if len(rules) > most else ""
    return f"Rules: {shown}{rest}"


def report_uris(job: Job) -> dict[str, str]:
    """Give the reports of a job: what they are called → S3 URI; a folder's ends with a slash."""
    found = ((name.removeprefix(REPORT), uri) for name, uri in job.facts if name.startswith(REPORT))
    return {
        _TITLES.get(name, name.replace("_", " ").capitalize()): (
            uri if uri.endswith(NOTEBOOK) else f"{uri.rstrip('/')}/"
        )
        for name, uri in found
    }


def is_monitoring(job: Job) -> bool:
    """Whether a job is the execution of a monitoring schedule."""
    return job.kind is PROCESSING_JOB and any(name == SCHEDULE for name, _ in job.facts)


def _untold(known: set[str]) -> tuple[str, ...]:
    """Give how the tags begin that tell more of a job than its facts, by the facts' names."""
    if f"{REPORT}profiler" in known and PROFILING not in known:
        return f"sagemaker.{RULE}", f"sagemaker.{PROFILING}"
    if SCHEDULE in known and MONITORING_TYPE not in known:
        return (f"sagemaker.{MONITORING_TYPE}",)
    return ()


def _is_rule(name: str) -> bool:
    return name.startswith(RULE) and not name.endswith(_DETAILS)


def _rules(entries: tuple[Answer, ...]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        name, status = text(entry, "RuleConfigurationName"), text(entry, "RuleEvaluationStatus")
        if name and status:
            yield f"{RULE}{name}", status
            if details := text(entry, "StatusDetails"):
                yield f"{RULE}{name}{_DETAILS}", details


def _reports(*places: tuple[str, str | None]) -> Facts:
    return tuple((f"{REPORT}{name}", uri) for name, uri in places if uri)


def _folder(base: str | None, job: str, name: str) -> str | None:
    if not base or not base.startswith("s3://"):
        return None
    return f"{base.rstrip('/')}/{job}/{name}/"

"""The options that commands share; each is an environment variable and a key of the file too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import click

from mlflow_smwatch.cli.config import config_option, file_that_was_read, naming_the_file
from mlflow_smwatch.cli.diagnostics import Diagnostics, log_as_json
from mlflow_smwatch.cli.values import Pattern, role, tag, time, words
from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.core.visible import visible
from mlflow_smwatch.options import ARTIFACT_MODES, EXECUTORS, METRIC_SOURCES, SyncOptions

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Decorator = Callable[[_Command], _Command]

_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(SyncOptions)}


class Command(click.Command):
    """A command that says which configuration file was read, and which has a wrong value."""

    def invoke(self, ctx: click.Context) -> object:
        """Call the command's function.

        Parameters
        ----------
        ctx
            The parsed command line.

        Returns
        -------
        object
            What the function returns.

        Raises
        ------
        click.UsageError
            When a value cannot be understood.
        """
        path = file_that_was_read(ctx)
        if path is not None:
            as_records = bool(ctx.params.get("log_json"))
            if as_records:
                log_as_json(verbose=False)
            Diagnostics(as_records=as_records).note(f"options from {path}", config=path)
        try:
            return super().invoke(ctx)
        except UsageError as error:
            message = visible(naming_the_file(ctx, str(error)))
            raise click.UsageError(message, ctx) from error


def option(*names: str, **settings: Any) -> Callable[[_Command], _Command]:
    """Declare an option that is an environment variable ``SMWATCH_<OPTION>`` too.

    Parameters
    ----------
    *names, **settings
        As for :func:`click.option`.

    Returns
    -------
    Callable
        A decorator.
    """
    long_name = next(name for name in names if name.startswith("--"))
    variable = "SMWATCH_" + long_name.removeprefix("--").upper().replace("-", "_")
    settings.setdefault("envvar", variable)
    settings.setdefault("show_envvar", True)
    return click.option(*names, **settings)


def _together(declared: Sequence[Callable[[Any], Any]]) -> Callable[[_Command], _Command]:
    """Join options into one decorator; the help lists them in this order."""

    def declare(command: _Command) -> _Command:
        for each in reversed(declared):
            command = each(command)
        return command

    return declare


def _remember(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:  # noqa: FBT001 - click's signature
    """Keep how to answer, for errors that end the command."""
    word = str(parameter.opts[-1]).removeprefix("--").replace("-", "_")
    ctx.find_root().ensure_object(dict)[word] = value
    return value


def _once(
    _: click.Context, __: click.Parameter, given: tuple[tuple[str, ...], ...]
) -> tuple[str, ...]:
    """Join what was given in lists and repeatedly."""
    return tuple(dict.fromkeys(each for some in given for each in some))


json_option = option(
    "--json", "as_json", is_flag=True, callback=_remember, help="One JSON document on stdout."
)

log_json_option = option(
    "--log-json",
    is_flag=True,
    is_eager=True,
    callback=_remember,
    help="JSON lines on stderr instead of text.",
)

verbose_option = option(
    "-v", "--verbose", is_flag=True, help="Show what the libraries log, on stderr."
)

file_option = config_option(option)

kinds_option = option(
    "--kinds",
    type=words,
    default=",".join(_DEFAULTS["kinds"]),
    show_default=True,
    help="Comma list of job kinds; notebook-instance too, where you want it.",
)

place_options = _together(
    [
        option(
            "--region",
            type=words,
            multiple=True,
            callback=_once,
            help="AWS Region; a comma list or repeated for several. Default: boto3's own choice.",
        ),
        option("--profile", help="AWS profile. Default: boto3's own choice."),
        option(
            "--assume-role",
            type=role,
            metavar="ARN",
            multiple=True,
            help="Read AWS in this IAM role; repeatable, for several accounts.",
        ),
    ]
)
"""In which account and Region."""

metrics_option = option(
    "--metrics",
    type=click.Choice(METRIC_SOURCES),
    default=_DEFAULTS["metrics"],
    show_default=True,
    help="Where algorithm metrics come from; off mirrors no metrics.",
)

artifacts_option = option(
    "--artifacts",
    type=click.Choice(ARTIFACT_MODES),
    default=_DEFAULTS["artifacts"],
    show_default=True,
    help="link stores sagemaker/job.json and sagemaker/lineage.html with the run; nothing"
    " big is copied. copy stores the small reports of jobs in S3 too. overlay makes"
    " experiments in which a run shows its job's logs, model and output, read from AWS when"
    " somebody looks.",
)

job_options = _together(
    [
        kinds_option,
        option(
            "--since",
            type=time,
            default=_DEFAULTS["since"],
            show_default=True,
            help="Jobs modified since: ISO time (UTC) or 90m, 36h, 7d. Runs that are not final are"
            " always looked at.",
        ),
        option("--until", type=time, help="Jobs modified until: ISO time (UTC) or 90m, 36h, 7d."),
        place_options,
        option(
            "--tag",
            "tags",
            type=tag,
            metavar="KEY=VALUE",
            multiple=True,
            help="Only jobs with this resource tag; repeatable.",
        ),
        option("--name-contains", help="Only jobs whose name has this part."),
    ]
)
"""Which jobs."""

redact_option = option(
    "--redact",
    type=Pattern(),
    metavar="PATTERN",
    multiple=True,
    help="Regular expression (RE2) of what is a secret too: each match becomes ***; repeatable. In"
    " the variable: one a line.",
)

percentiles_option = option(
    "--latency-percentiles",
    type=words,
    is_flag=False,
    flag_value="p50,p90,p99",
    default="",
    metavar="[LIST]",
    help="Percentiles of the latencies of endpoints, besides the average: a comma list such as"
    " p50,p90,p99, which is meant where none follows.",
)

alarms_option = option(
    "--alarms",
    is_flag=True,
    help="Show the CloudWatch alarms on a job's or endpoint's metrics on its run.",
)

mirror_options = _together(
    [
        option("--experiment", help="Put everything into this MLflow experiment."),
        metrics_option,
        artifacts_option,
        option(
            "--artifact-base",
            metavar="URI",
            help="Where new experiments keep what is stored itself, with --artifacts overlay: an"
            " absolute path, file:///, s3://, gs:// or wasbs://. Default: MLflow's own place. No"
            " effect without overlay.",
        ),
        redact_option,
        percentiles_option,
        option(
            "--endpoint-window",
            type=time,
            default=_DEFAULTS["endpoint_window"],
            show_default=True,
            help="How far back the metrics of an endpoint go that is mirrored for the first time:"
            " 36h, 15d, or an ISO time.",
        ),
        alarms_option,
    ]
)
"""What of them is mirrored, and into which experiment."""

register_option = option(
    "--register",
    metavar="MODEL",
    help="Make each job's model artifact, and each model package (those that changed since --since,"
    " or that are named by ARN), a version of this MLflow registered model, by its S3 URI.",
)

denied_option = option(
    "--give-up-denied",
    is_flag=True,
    help="Make an ended job final although a part of it (its metrics, its tags) is denied.",
)

work_options = _together(
    [
        option(
            "--workers",
            default=_DEFAULTS["workers"],
            show_default=True,
            help="Threads that read and write.",
        ),
        option(
            "--settle",
            "settle_s",
            default=_DEFAULTS["settle_s"],
            show_default=True,
            help="Seconds that a CloudWatch period of a running job must be old before it is"
            " mirrored.",
        ),
    ]
)
"""How fast, and how soon."""

bill_options = _together(
    [
        option(
            "--prices",
            metavar="FILE|aws",
            help="Prices that take the place of the built-in ones: a TOML file; or aws, to ask the"
            " Price List API for those of instances.",
        ),
        option(
            "--max-calls",
            type=click.IntRange(min=1),
            help="Stop a pass before it makes more AWS calls, retries included; the next one goes"
            " on.",
        ),
        option(
            "--max-cost",
            type=click.FloatRange(min=0),
            metavar="USD",
            help="Stop a pass before its AWS calls cost more; the next one goes on.",
        ),
    ]
)
"""For how much."""

scale_options = _together(
    [
        option(
            "--executor",
            type=click.Choice(EXECUTORS),
            default=_DEFAULTS["executor"],
            show_default=True,
            help="Where jobs are read and written: threads of this process, or the workers of a"
            " Dask cluster (extra [dask]).",
        ),
        option(
            "--scheduler",
            metavar="ADDRESS",
            help="Address of the Dask scheduler, such as tcp://host:8786, with --executor dask.",
        ),
    ]
)
"""By how many machines."""

tracking_uri_option = option(
    "--tracking-uri",
    help="MLflow tracking URI: sqlite:///…, postgresql://…, http(s)://… or the ARN of a"
    " SageMaker-managed MLflow server. Default: MLFLOW_TRACKING_URI, else MLflow's own.",
)

tracking_options = _together(
    [
        tracking_uri_option,
        option("--ui-url", help="Address of MLflow's pages, for the links that are printed."),
    ]
)
"""Where MLflow is."""

service_options = _together([file_option, json_option, log_json_option, verbose_option])
"""How to answer. The file comes first: click asks eager options in this order."""

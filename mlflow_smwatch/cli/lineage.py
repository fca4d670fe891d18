"""``smwatch lineage``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlflow_smwatch.cli.diagnostics import Diagnostics, quiet
from mlflow_smwatch.cli.options import (
    Command,
    file_option,
    json_option,
    option,
    redact_option,
    tracking_options,
    verbose_option,
)
from mlflow_smwatch.core.errors import UsageError

if TYPE_CHECKING:
    from mlflow_smwatch.ancestry import Origin
    from mlflow_smwatch.core.lineage_graph import LineageGraph

_DIRECTIONS = ("both", "upstream", "downstream")
_FORMATS = ("tree", "json", "dot", "mermaid", "html")
_SHOWN = 5


@click.command(cls=Command)
@click.argument("thing", metavar="NAME|ARN|RUN_ID|S3-URI")
@option(
    "--direction",
    type=click.Choice(_DIRECTIONS),
    default="both",
    show_default=True,
    help="What it was made from, what was made from it, or both.",
)
@option("--depth", type=click.IntRange(min=1), help="Most steps in each direction. Default: all.")
@option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="tree",
    show_default=True,
    help="tree for a terminal; dot for Graphviz; html is a page of its own.",
)
@option("--diff", "other", metavar="OTHER", help="Compare what both were made from instead.")
@option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write into this file.")
@option(
    "--source",
    type=click.Choice(("mlflow", "aws")),
    default="mlflow",
    show_default=True,
    help="mlflow needs MLflow alone; aws asks SageMaker what it recorded.",
)
@tracking_options
@option("--region", help="With --source aws: AWS Region. Default: boto3's own choice.")
@option("--profile", help="With --source aws: AWS profile. Default: boto3's own choice.")
@redact_option
@json_option
@verbose_option
@file_option
def lineage(
    *, thing: str, as_json: bool, verbose: bool, output: Path | None, **chosen: Any
) -> None:
    """Show what a thing was made from, and what was made from it.

    A thing is a job, a trial component, a model package, an endpoint, an artifact: by name, ARN
    or MLflow run id; or data by its S3 URI. A name that stands for several means all of them.
    Arrows point the way data flows. --json is short for --format json.

    Exit codes: 0 shown, 1 there is no such thing, 2 wrong usage, 3 MLflow or AWS cannot be used.

    \b
    Examples:
      smwatch lineage my-training-job
      smwatch lineage s3://my-bucket/train/ --direction downstream
      smwatch lineage my-model-job --diff last-years-job
      smwatch lineage my-training-job --format html --output lineage.html
      smwatch lineage my-endpoint --source aws --region eu-west-1
    """  # noqa: D301 - a real backspace is click's mark for lines that stay lines
    form = "json" if as_json else chosen["form"]
    say = Diagnostics(as_records=False)
    with quiet(verbose=verbose):
        from mlflow_smwatch.ancestry import Origin, around

        origin = Origin(
            source=chosen["source"],
            tracking_uri=chosen["tracking_uri"],
            region=chosen["region"],
            profile=chosen["profile"],
            redact=chosen["redact"],
        )
        if origin.source == "mlflow":
            say.name_default_store(origin.tracking_uri)
        if chosen["other"] is not None:
            text = _compared(thing, chosen["other"], origin, form)
        else:
            graph = around(thing, origin, chosen["direction"], chosen["depth"])
            _name_all_roots(say, thing, graph)
            text = _shown(graph, form, origin, chosen["ui_url"])
    _put(text, output)


def _compared(a: str, b: str, origin: Origin, form: str) -> str:
    if form not in {"tree", "json"}:
        message = f"--diff gives --format tree or json, not {form}"
        raise UsageError(message)
    from mlflow_smwatch.ancestry import compare
    from mlflow_smwatch.render import diff_document, diff_text

    difference = compare(a, b, origin)
    if form == "json":
        return _document(diff_document(a, b, difference))
    return "\n".join(diff_text(a, b, difference))


def _name_all_roots(say: Diagnostics, thing: str, graph: LineageGraph) -> None:
    """Say it where a name stands for several things."""
    count = len(graph.roots)
    if count > 1:
        more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
        ids = ", ".join(graph.roots[:_SHOWN])
        say.note(f"{thing} stands for {count} things, all are shown: {ids}{more}")


def _shown(graph: LineageGraph, form: str, origin: Origin, ui_url: str | None) -> str:
    if form == "json":
        return _document(graph.to_json())
    if form == "html":
        from mlflow_smwatch.ancestry import run_pages

        pages = run_pages(origin.tracking_uri, ui_url) if origin.source == "mlflow" else None
        return graph.to_html(run_url=pages)
    plain = {"tree": graph.to_tree, "dot": graph.to_dot, "mermaid": graph.to_mermaid}
    return plain[form]()


def _document(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2)


def _put(text: str, output: Path | None) -> None:
    text = text if text.endswith("\n") else f"{text}\n"
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"--output {output}: {error.strerror}"
        raise UsageError(message) from error

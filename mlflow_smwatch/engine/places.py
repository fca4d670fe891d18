"""What is asked of which account and Region, and how their failures are joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from mlflow_smwatch.core.arn import Arn, is_arn
from mlflow_smwatch.core.errors import NOT_THERE, SmwatchError, StopError, UsageError
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.report import NOT_REACHED, Failure, Warned


def place(options: SyncOptions) -> str:
    """Name an account and Region in a report, where else the ARN of a job stands."""
    return options.assume_role or f"{NOT_REACHED} in {options.region}"


def divided(targets: Sequence[SyncOptions]) -> Iterator[SyncOptions]:
    """Ask each account and Region for what can be in it.

    Parameters
    ----------
    targets
        With the same names: a name is looked for everywhere, an ARN where it says that it lies; one
        that lies nowhere is left to the first, which says so.

    Yields
    ------
    SyncOptions
        Those that have anything to look for.
    """
    for number, target in enumerate(targets):
        names = tuple(
            name
            for name in target.names
            if _may_have(target, name)
            or (not number and not any(_may_have(each, name) for each in targets))
        )
        if names or not target.names:
            yield replace(target, names=names)


def _may_have(target: SyncOptions, text: str) -> bool:
    """Whether a name may stand for something of an account and Region."""
    try:
        arn = Arn.parse(text) if is_arn(text) else None
    except UsageError:
        return True
    if arn is None:
        return True
    role = Arn.parse(target.assume_role) if target.assume_role else None
    in_account = role is None or not arn.account.isdigit() or arn.account == role.account
    return in_account and (target.region is None or target.region == arn.region)


def found_in(names: Iterable[str], failed: Sequence[Failure]) -> set[str]:
    """Tell which names stood for something, by what failed of a pass that asked for them."""
    missing = {each.arn for each in failed}
    return set() if NOT_REACHED in missing else {name for name in names if name not in missing}


def failures(failed: Iterable[Failure], found: set[str]) -> tuple[list[Failure], list[Warned]]:
    """Join the failures of several accounts and Regions.

    Parameters
    ----------
    failed
        Of all of them.
    found
        Names of the jobs that were found somewhere: elsewhere they need not be.

    Returns
    -------
    tuple of list
        The failures, each once; and as warnings those of names that were found somewhere, where
        nobody can tell whether they stand for a job as well.
    """
    kept, warned = [], []
    for each in dict.fromkeys(failed):
        if each.arn not in found:
            kept.append(each)
        elif not each.error.startswith(NOT_THERE):
            doubt = f"{each.error}; {each.arn} may stand for another job as well"
            warned.append(Warned(None, doubt))
    return kept, warned


def one_of(errors: Sequence[SmwatchError]) -> SmwatchError:
    """Give the one error that several are, or one that says them all.

    Parameters
    ----------
    errors
        At least one.
    """
    told = list(dict.fromkeys(str(each) for each in errors))
    return errors[0] if len(told) == 1 else StopError("; ".join(told))

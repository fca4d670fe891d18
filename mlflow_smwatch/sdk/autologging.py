"""``autolog()``: what the SDK starts is followed; the user's calls stay as they are."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import inspect
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

from mlflow_smwatch.core.errors import UsageError
from mlflow_smwatch.options import SyncOptions
from mlflow_smwatch.sdk.background import Background
from mlflow_smwatch.sdk.job_mirror import options_for
from mlflow_smwatch.sdk.patch_points import POINTS, PatchPoint, Role
from mlflow_smwatch.sdk.patching import Method, Patch, replace_method
from mlflow_smwatch.sdk.references import JobReference, latest_of, reference_of

logger = logging.getLogger(__name__)

_PACKAGES = ("sagemaker", "sagemaker_core")
_UP_TO_DATE_S = 60.0
"""How long a call that waited for its job may be kept for the last pass."""


@dataclass(slots=True)
class _Call:
    """A call of the user's, as long as it lasts.

    Attributes
    ----------
    thing
        The object of which a method was called.
    before
        The job that it had started last before.
    waits
        Whether the call waits for the job to end.
    started
        The jobs that were started within.
    """

    thing: object
    before: object
    waits: bool
    started: list[tuple[SyncOptions, JobReference]] = field(default_factory=list)


@dataclass(slots=True)
class _Switch:
    """Whether ``autolog()`` is on, with what, and which methods are wrapped."""

    options: SyncOptions | None = None
    interval_s: float = 20.0
    patches: dict[PatchPoint, Patch] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


_switch = _Switch()
_background = Background()
_call: ContextVar[_Call | None] = ContextVar("smwatch_call", default=None)


def switch_on(options: SyncOptions, interval_s: float) -> None:
    """Wrap the methods of the SDKs that are imported, and of those that will be.

    Called again, it changes the options of the jobs that are started from now on.

    Parameters
    ----------
    options
        Where from and where to.
    interval_s
        Seconds from one look at a running job to the next.

    Raises
    ------
    UsageError
        When the options are those of a forecast or name jobs, no SDK is installed, or MLflow has no
        import hooks.
    """
    if options.names or options.dry_run:
        message = "autolog takes no job names and makes no forecast: call sync for that"
        raise UsageError(message)
    if not any(_is_there(package) for package in _PACKAGES):
        message = (
            "autolog follows the SageMaker Python SDK, which is not installed:"
            " pip install 'mlflow-smwatch[sagemaker]'"
        )
        raise UsageError(message)
    try:
        from mlflow_smwatch.tracking.imports import after_import
    except ImportError as error:
        message = f"autolog needs the import hooks of MLflow 3 ({error}); mirror(job) does not"
        raise UsageError(message) from error

    with _switch.lock:
        _switch.options, _switch.interval_s = options, interval_s
        for module_name in dict.fromkeys(point.module for point in POINTS):
            after_import(module_name, _wrap_module)


def switch_off() -> None:
    """Put the methods of the SDKs back; jobs that are followed still are."""
    with _switch.lock:
        _switch.options = None
        for patch in _switch.patches.values():
            patch.undo()
        _switch.patches.clear()


def _begin_anew() -> None:
    """Take free locks in a process that was just forked: the parent's threads are not in it."""
    _switch.lock = threading.RLock()
    _background.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def _is_there(package: str) -> bool:
    if sys.modules.get(package) is not None:
        return True
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _wrap_module(module: ModuleType) -> None:
    """Wrap the methods of one module, unless that was done; an import is never broken by it."""
    with _switch.lock:
        if _switch.options is None:
            return
        for point in POINTS:
            owner = getattr(module, point.owner, None)
            is_new = point not in _switch.patches and point.module == module.__name__
            if is_new and isinstance(owner, type):
                patch = replace_method(owner, point.method, _WRAPPERS[point.role])
                if patch is not None:
                    _switch.patches[point] = patch


def _wrap_call(original: Method) -> Method:
    """Wrap a method that users call."""

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> object:
        call = _begun(original, args, kwargs)
        if call is None:
            return original(*args, **kwargs)
        try:
            with _within(call):
                result = original(*args, **kwargs)
        except Exception:  # an interrupt is not kept waiting
            _finish(call)
            raise
        _finish(call)
        return result

    return wrapper


def _wrap_result(original: Method) -> Method:
    """Wrap a method that returns a job."""

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> object:
        job = original(*args, **kwargs)
        _follow(job, *args)
        return job

    return wrapper


def _wrap_job(original: Method) -> Method:
    """Wrap a method of jobs."""

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> object:
        call = _call.get()
        if call is not None and args:
            _follow(args[0], call.thing)
        return original(*args, **kwargs)

    return wrapper


_WRAPPERS: dict[Role, Callable[[Method], Method]] = {
    Role.CALL: _wrap_call,
    Role.RESULT: _wrap_result,
    Role.JOB: _wrap_job,
}


def _begun(original: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Call | None:
    """Take note of a call; None for one within another, or while it is switched off."""
    if _switch.options is None or _call.get() is not None or not args:
        return None
    call: _Call | None = None
    with _never_raising():
        call = _Call(args[0], latest_of(args[0]), _waits(original, args, kwargs))
    return call  # noqa: RET504 - None if that failed


@contextlib.contextmanager
def _within(call: _Call) -> Iterator[None]:
    """Let what is started meanwhile belong to a call."""
    token = _call.set(call)
    try:
        yield
    finally:
        _call.reset(token)


def _waits(original: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a call waits for its job; one with wrong arguments is left to fail by itself."""
    try:
        bound = inspect.signature(original).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return False
    bound.apply_defaults()
    return bool(bound.arguments.get("wait", False))


def _follow(job: object, *owners: object) -> None:
    """Follow a job that was just started; one that runs here, or not yet, is left alone."""
    options = _switch.options
    if options is None or job is None:
        return
    with _never_raising():
        try:
            reference = reference_of(job, *owners)
        except UsageError as error:
            logger.debug("not followed: %s", error)
            return
        placed = options_for(reference, _with_store(options))
        _background.follow(placed, reference, _switch.interval_s)
        call = _call.get()
        if call is not None:
            call.started.append((placed, reference))


def _with_store(options: SyncOptions) -> SyncOptions:
    """Settle on the store that MLflow has chosen at this moment."""
    from mlflow_smwatch.tracking.uris import chosen_uri

    return replace(options, tracking_uri=chosen_uri(options.tracking_uri))


def _finish(call: _Call) -> None:
    """Follow what was not seen to be started; bring the runs up to date if the call waited."""
    with _never_raising():
        job = latest_of(call.thing)
        if not call.started and job is not None and job is not call.before:
            with _within(call):
                _follow(call.thing)
        if call.waits and call.started:
            _background.bring_up_to_date(call.started, _UP_TO_DATE_S)


@contextlib.contextmanager
def _never_raising() -> Iterator[None]:
    """Let nothing of the mirror reach the user's call."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the user's call must go on
        logger.warning("autolog: a job may not be mirrored (%s: %s)", type(error).__name__, error)

"""Regions and partitions, as the botocore installed knows them; no call is made."""

from __future__ import annotations

from functools import cache

import botocore.session
from botocore.exceptions import UnknownRegionError

from mlflow_smwatch.core.errors import UsageError


def partition_of(region: str) -> str:
    """Tell the partition of a Region.

    Parameters
    ----------
    region
        Name; botocore takes one that it does not know for the partition that names its Regions so.

    Raises
    ------
    UsageError
        When no partition has Regions of such a name.
    """
    try:
        return str(_session().get_partition_for_region(region))
    except UnknownRegionError as error:
        message = f"--region {region!r}: no AWS Region has a name of that form"
        raise UsageError(message) from error


def has_sagemaker(region: str) -> bool:
    """Whether botocore knows SageMaker in a Region.

    Raises
    ------
    UsageError
        When no partition has Regions of such a name.
    """
    return region in _session().get_available_regions("sagemaker", partition_of(region))


@cache
def _session() -> botocore.session.Session:
    return botocore.session.Session()

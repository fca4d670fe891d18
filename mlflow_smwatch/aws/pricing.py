"""The Price List API: what AWS charges for instances today.

``GetProducts`` gives each product as a JSON text of its own. Of SageMaker's, ``component`` tells
what an instance is used for; a product without one is no hourly rate, such as the fee of a training
plan. Attributes: "Price List Query API", and the offer file of ``AmazonSageMaker``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from mlflow_smwatch.aws.operations import GET_PRODUCTS
from mlflow_smwatch.aws.partitions import partition_of
from mlflow_smwatch.aws.session import Aws, ask
from mlflow_smwatch.core.errors import AccessDeniedError, JobError, RetriableError, UsageError
from mlflow_smwatch.core.job_kinds import PROCESSING_JOB, TRAINING_JOB, TRANSFORM_JOB
from mlflow_smwatch.core.prices import Price

SOURCE = "AWS Price List API"

_COMPONENTS = {
    TRAINING_JOB.word: "training",
    PROCESSING_JOB.word: "processing",
    TRANSFORM_JOB.word: "batchtransform",
}
_PAGE_SIZE = 100
_PARTITION = "aws"
"""Others' credentials are none to the endpoint; China's prices are in yuan ("Price List API")."""

_Prices = Mapping[str, Price]


class PriceListApi:
    """Asks for each instance type once; may be used by several threads.

    Parameters
    ----------
    aws
        The clients.

    Attributes
    ----------
    refused
        Why prices could not be had, in words; None where they could.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._known: dict[tuple[str, str], _Prices] = {}
        self._lock = threading.Lock()
        self.refused: str | None = None

    def price(self, region: str, kind: str, instance_type: str) -> Price | None:
        """Tell what an instance costs; None where AWS does not say, or refuses to.

        Raises
        ------
        StopError
            When nothing can be done: no credentials, a limit.
        """
        with self._lock:
            place = region, instance_type
            if place not in self._known:
                self._known[place] = self._asked(region, instance_type)
            return self._known[place].get(_COMPONENTS.get(kind, ""))

    def _asked(self, region: str, instance_type: str) -> _Prices:
        if self.refused is None:
            try:
                return self._told(region, instance_type)
            except (AccessDeniedError, RetriableError, JobError, UsageError) as error:
                self.refused = f"prices are those that are built in: {error}"
        return {}

    def _told(self, region: str, instance_type: str) -> _Prices:
        partition = partition_of(self._aws.region)
        if partition != _PARTITION:
            message = f"AWS tells prices in USD in the partition {_PARTITION}, not in {partition}"
            raise JobError(message)
        try:
            return dict(self._read(region, instance_type))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            message = f"{GET_PRODUCTS} answered in a way that is not understood: {error!r}"
            raise JobError(message) from error

    def _read(self, region: str, instance_type: str) -> Iterator[tuple[str, Price]]:
        request: dict[str, Any] = {
            "ServiceCode": "AmazonSageMaker",
            "FormatVersion": "aws_v1",
            "MaxResults": _PAGE_SIZE,
            "Filters": [
                {"Type": "TERM_MATCH", "Field": field, "Value": value}
                for field, value in (("regionCode", region), ("instanceName", instance_type))
            ],
        }
        while True:
            answer = ask(GET_PRODUCTS, self._aws.pricing.get_products, request, "PriceList")
            for text in answer["PriceList"]:
                yield from _priced(text)
            if not answer.get("NextToken"):
                return
            request["NextToken"] = answer["NextToken"]


def _priced(text: str) -> Iterator[tuple[str, Price]]:
    """Read one product: its component, and its price on demand; nothing where it has none."""
    product = json.loads(text)
    component = str(product["product"]["attributes"].get("component", ""))
    for term in (product.get("terms") or {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            usd = float(dimension["pricePerUnit"].get("USD", "nan"))
            if component and dimension.get("unit") in {"Hrs", "hours", "Hours"} and usd >= 0:
                as_of = str(term.get("effectiveDate") or product.get("publicationDate") or "")
                price = Price(usd_per_hour=usd, as_of=as_of[:10], source=SOURCE)
                yield "".join(component.lower().split()), price

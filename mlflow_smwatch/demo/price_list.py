"""The Price List API of the emulated account: few products of SageMaker, as AWS words them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mlflow_smwatch.demo.errors import refuse
from mlflow_smwatch.demo.validation import Answer, Parameters

PAGE_SIZE = 100
OFFER = "JRTCKXETXF"
RATE = "6YS6EN2CT7"
USAGE = {"Training": "Train", "Processing": "Processing", "BatchTransform": "BatchTransform"}


class PriceList:
    """Products and what they cost; filled directly.

    Attributes
    ----------
    products
        JSON texts, each a product with its terms.
    """

    def __init__(self) -> None:
        self.products: list[str] = []
        self.operations = {"GetProducts": self.get_products}

    def put_instance(
        self,
        region: str,
        instance_type: str,
        usd: float,
        components: Iterable[str] = tuple(USAGE),
        effective: str = "2026-11-01T00:00:00Z",
    ) -> None:
        """Put the price of an instance, an hour on demand, of each thing it is used for.

        Parameters
        ----------
        region
            Code of the Region.
        instance_type
            Such as ``ml.m5.xlarge``.
        usd
            Dollars an hour.
        components
            What it is used for.
        effective
            Since when.
        """
        for component in components:
            attributes = {
                "servicecode": "AmazonSageMaker",
                "servicename": "Amazon SageMaker",
                "regionCode": region,
                "locationType": "AWS Region",
                "instanceName": instance_type,
                "instanceType": f"{instance_type}-{component}",
                "component": component,
                "usagetype": f"{USAGE.get(component, component)}:{instance_type}",
                "operation": "RunInstance",
            }
            self._put(attributes, "ML Instance", "Hrs", usd, effective)

    def put_fee(self, region: str, instance_type: str, usd: float) -> None:
        """Put the fee of a training plan, which is no hourly rate and has no component."""
        attributes = {
            "servicecode": "AmazonSageMaker",
            "regionCode": region,
            "instanceName": instance_type,
            "usagetype": f"TrainingPlanUpfrontFee:{instance_type}",
        }
        self._put(attributes, "ML Instance", "Quantity", usd, "2026-11-01T00:00:00Z")

    def get_products(self, parameters: Parameters) -> Answer:
        """Answer ``GetProducts``: all filters must match."""
        if parameters.get("FormatVersion", "aws_v1") != "aws_v1":
            refuse("InvalidParameterException", "Format version is not supported")
        asked = {each["Field"]: each["Value"] for each in parameters.get("Filters", ())}
        asked["servicecode"] = parameters["ServiceCode"]
        found = [text for text in self.products if _matches(json.loads(text), asked)]
        begin = int(parameters.get("NextToken", 0))
        end = begin + int(parameters.get("MaxResults", PAGE_SIZE))
        more = {"NextToken": str(end)} if end < len(found) else {}
        return {"FormatVersion": "aws_v1", "PriceList": found[begin:end], **more}

    def _put(
        self, attributes: dict[str, str], family: str, unit: str, usd: float, effective: str
    ) -> None:
        sku = f"SKU{len(self.products):013d}"
        offer, rate = f"{sku}.{OFFER}", f"{sku}.{OFFER}.{RATE}"
        dimension = {
            "unit": unit,
            "endRange": "Inf",
            "beginRange": "0",
            "description": f"${usd} per {attributes['usagetype']}",
            "appliesTo": [],
            "rateCode": rate,
            "pricePerUnit": {"USD": f"{usd:.10f}"},
        }
        term = {
            "priceDimensions": {rate: dimension},
            "sku": sku,
            "effectiveDate": effective,
            "offerTermCode": OFFER,
            "termAttributes": {},
        }
        product: dict[str, Any] = {
            "product": {"productFamily": family, "attributes": attributes, "sku": sku},
            "serviceCode": "AmazonSageMaker",
            "terms": {"OnDemand": {offer: term}},
            "version": "20261101000000",
            "publicationDate": effective,
        }
        self.products.append(json.dumps(product))


def _matches(product: dict[str, Any], asked: dict[str, str]) -> bool:
    attributes = product["product"]["attributes"]
    return all(attributes.get(field) == value for field, value in asked.items())

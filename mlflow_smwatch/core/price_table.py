"""The prices of instances that are built in: few, dated, each from a source that is named.

They are what AWS charges on demand, without savings plans, training plans, private agreements,
free usage and tax. Types and Regions that are not here have no price; another Region's is never
taken instead.
"""

from __future__ import annotations

from mlflow_smwatch.core.job_kinds import PROCESSING_JOB, TRAINING_JOB, TRANSFORM_JOB
from mlflow_smwatch.core.prices import PriceList

_TRAINING, _PROCESSING, _TRANSFORM = (
    kind.word for kind in (TRAINING_JOB, PROCESSING_JOB, TRANSFORM_JOB)
)
_VIRGINIA, _IRELAND = "us-east-1", "eu-west-1"

PRICE_LISTS = (
    PriceList(
        as_of="2026-08-11",
        source="AWS Price List API, SKU JMCWJEAPVJNFJ5P4 (USE1-Train:ml.m5.large)",
        instances={(_VIRGINIA, _TRAINING, "ml.m5.large"): 0.115},
    ),
    PriceList(
        as_of="2026-07-27",
        source="AWS Price List API, as measured in"
        " github.com/spore-host/truffle pkg/aws/sagemaker_component_test.go (21bfbe8)",
        instances={(_VIRGINIA, _TRAINING, "ml.p4d.24xlarge"): 25.251},
    ),
    PriceList(
        as_of="2026-07-10",
        source="AWS Price List API, as measured in"
        " github.com/spore-host/truffle pkg/aws/sagemaker_pricing_test.go (cf8f180)",
        instances={(_VIRGINIA, _TRAINING, "ml.g5.2xlarge"): 1.515},
    ),
    PriceList(
        as_of="2023-12",
        source="an AWS bill of December 2023,"
        " github.com/aws-samples/sagemaker-ssh-helper Sample_Costs.md (b6bf9ba)",
        instances={
            (_IRELAND, _TRAINING, "ml.m5.xlarge"): 0.257,
            (_IRELAND, _PROCESSING, "ml.m5.xlarge"): 0.257,
            (_IRELAND, _TRANSFORM, "ml.m5.xlarge"): 0.257,
            (_IRELAND, _TRAINING, "ml.g4dn.xlarge"): 0.822,
            (_IRELAND, _TRAINING, "ml.g5.xlarge"): 1.57,
            (_IRELAND, _TRAINING, "ml.p3.2xlarge"): 4.131,
        },
    ),
)
"""Earlier lists count before later ones."""

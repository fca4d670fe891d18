"""Where the SageMaker SDKs start jobs: the table of the methods that ``autolog()`` wraps.

Every job comes out of a few methods, whichever class the user has in hand, and is followed from
there on; the methods that users call are wrapped to know when a call that waits has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """What a wrapped method tells."""

    CALL = "the user's call: its object has started a job, and may have waited for it"
    RESULT = "returns a job that was just started"
    JOB = "is called on a job within a user's call"


@dataclass(frozen=True, slots=True)
class PatchPoint:
    """One method.

    Attributes
    ----------
    module, owner, method
        Where it is defined; a method that a version of the SDK lacks is left out.
    role
        What it tells.
    """

    module: str
    owner: str
    method: str
    role: Role


def _points(role: Role, text: str) -> tuple[PatchPoint, ...]:
    """Read lines of module, class and method."""
    rows = (line.split() for line in text.strip().splitlines())
    return tuple(PatchPoint(module, owner, method, role) for module, owner, method in rows)


SDK_2 = (
    *_points(
        Role.CALL,
        """
        sagemaker.estimator EstimatorBase fit
        sagemaker.amazon.amazon_estimator AmazonAlgorithmEstimatorBase fit
        sagemaker.automl.automl AutoML fit
        sagemaker.automl.automlv2 AutoMLV2 fit
        sagemaker.automl.candidate_estimator CandidateEstimator fit
        sagemaker.processing Processor run
        sagemaker.processing ScriptProcessor run
        sagemaker.transformer Transformer transform
        sagemaker.tuner HyperparameterTuner fit
        sagemaker.modules.train.model_trainer ModelTrainer train
        """,
    ),
    *_points(
        Role.RESULT,
        """
        sagemaker.estimator _TrainingJob start_new
        sagemaker.automl.automl AutoMLJob start_new
        sagemaker.automl.automlv2 AutoMLJobV2 start_new
        sagemaker.processing ProcessingJob start_new
        sagemaker.transformer _TransformJob start_new
        sagemaker.tuner _TuningJob start_new
        sagemaker.workflow.pipeline Pipeline start
        sagemaker_core.main.resources TrainingJob create
        sagemaker_core.main.resources ProcessingJob create
        sagemaker_core.main.resources TransformJob create
        sagemaker_core.main.resources HyperParameterTuningJob create
        sagemaker_core.main.resources AutoMLJob create
        sagemaker_core.main.resources AutoMLJobV2 create
        """,
    ),
)
"""The SageMaker Python SDK 2, and sagemaker-core 1 on which its newer parts are built."""

SDK_3 = (
    *_points(
        Role.CALL,
        """
        sagemaker.train.model_trainer ModelTrainer train
        sagemaker.train.sft_trainer SFTTrainer train
        sagemaker.train.dpo_trainer DPOTrainer train
        sagemaker.train.rlvr_trainer RLVRTrainer train
        sagemaker.train.rlaif_trainer RLAIFTrainer train
        sagemaker.train.cpt_trainer CPTTrainer train
        sagemaker.train.tuner HyperparameterTuner tune
        sagemaker.core.processing Processor run
        sagemaker.core.processing ScriptProcessor run
        sagemaker.core.transformer Transformer transform
        """,
    ),
    *_points(
        Role.RESULT,
        """
        sagemaker.core.processing Processor _start_new
        sagemaker.core.resources TrainingJob create
        sagemaker.core.resources ProcessingJob create
        sagemaker.core.resources TransformJob create
        sagemaker.core.resources HyperParameterTuningJob create
        sagemaker.core.resources AutoMLJob create
        sagemaker.core.resources AutoMLJobV2 create
        sagemaker.mlops.workflow.pipeline Pipeline start
        """,
    ),
    *_points(Role.JOB, "sagemaker.core.resources TransformJob wait"),
)
"""The SageMaker Python SDK 3: sagemaker-core 2, sagemaker-train and sagemaker-mlops."""

POINTS = (*SDK_2, *SDK_3)
"""All of them; the modules of the version that is not installed are never imported."""

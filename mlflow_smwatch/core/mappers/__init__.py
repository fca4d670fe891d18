"""One mapper per kind: what AWS says of a job → :class:`~mlflow_smwatch.core.job.Job`.

The only place that knows the shape of AWS's answers (botocore model ``sagemaker`` 2017-07-24).
"""

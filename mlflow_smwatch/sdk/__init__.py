"""The SageMaker Python SDK: its objects stand for jobs, its calls are mirrored."""

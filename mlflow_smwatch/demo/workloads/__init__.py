"""Training scripts of the emulated account, written as a SageMaker user would write them.

They run as child processes of ``python -m mlflow_smwatch.demo.record`` with the environment
variables of SageMaker's training containers; nothing in this package imports them.
"""

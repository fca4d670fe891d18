"""``python -m mlflow_smwatch``."""

from mlflow_smwatch.cli import main

if __name__ == "__main__":
    main()

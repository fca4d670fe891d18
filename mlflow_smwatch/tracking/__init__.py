"""The MLflow edge: finds, makes and writes runs."""

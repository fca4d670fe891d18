"""One thin module for each MLflow entry point."""

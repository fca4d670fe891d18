"""What an account has around its jobs: tuning, pipelines, models and endpoints, lineage."""

"""What a run's artifact tab shows of its job, read from AWS when it is looked at."""

"""What a user waits for, as counts and as ratios measured in one run: ``make bench``."""

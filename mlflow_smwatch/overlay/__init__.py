"""What a job shows in the Artifacts tab of its run, read from AWS when somebody looks."""

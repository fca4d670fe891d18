"""The audit: both sides are read afresh and compared; on demand what is missing is added."""

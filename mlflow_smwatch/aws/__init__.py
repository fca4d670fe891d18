"""The AWS edge: the only room that imports boto3."""

"""Hypothesis strategies for what AWS answers and what users type."""

from __future__ import annotations

from hypothesis import strategies as st

from mlflow_smwatch.core.arn import Arn

PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-eusc")
REGIONS = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1")
AWKWARD = " /\\.:-_~'\"()*!$%&=+#?<>[]{}|^`@,;\t\n\r\x00é損失😀\u0301\u2028"

partitions = st.sampled_from(PARTITIONS)
regions = st.sampled_from(REGIONS)
accounts = st.from_regex(r"[0-9]{12}", fullmatch=True)

storable_text = st.text(st.characters(codec="utf-8"))
"""Any text that can be encoded."""

any_text = st.text(st.characters())
"""Any text that Python can hold, lone surrogates too."""

awkward_names = st.text(
    st.one_of(st.sampled_from(AWKWARD), st.characters(codec="utf-8")), max_size=300
)
"""Names of metrics, hyperparameters and tags, rich in what needs escaping."""

path_like_names = st.text(st.sampled_from("/.a_"), max_size=12)
"""Names that MLflow could take for paths."""

long_names = st.builds(
    lambda start, filler, end: start + filler * 250 + end,
    awkward_names,
    st.sampled_from("a/. ?"),
    awkward_names,
)
"""Names over MLflow's limit."""

original_names = st.one_of(awkward_names, path_like_names, long_names, any_text)
"""Names that become MLflow keys."""

job_names = st.from_regex(r"[a-zA-Z0-9](-?[a-zA-Z0-9]){0,31}", fullmatch=True)
"""Names of jobs, base64-looking ones too."""

hexadecimal = st.text("0123456789abcdef", min_size=40, max_size=64)
"""Git commits, image digests, hashes."""

buckets = st.from_regex(r"[a-z0-9][a-z0-9-]{1,20}[a-z0-9]", fullmatch=True)
s3_keys = st.lists(
    st.from_regex(r"[A-Za-z0-9_=][A-Za-z0-9._=-]{0,60}", fullmatch=True), min_size=1, max_size=5
).map("/".join)
s3_uris = st.builds(
    lambda bucket, key, end: f"s3://{bucket}/{key}{end}",
    buckets,
    s3_keys,
    st.sampled_from(("", "/")),
)

arns = st.builds(
    lambda partition, region, account, kind, name: Arn(
        partition=partition,
        service="sagemaker",
        region=region,
        account=account,
        resource=f"{kind}/{name}",
    ),
    partitions,
    regions,
    accounts,
    st.sampled_from(("training-job", "processing-job", "pipeline", "experiment-trial-component")),
    job_names,
)

image_uris = st.builds(
    lambda account, region, name, tag: f"{account}.dkr.ecr.{region}.amazonaws.com/{name}{tag}",
    accounts,
    regions,
    st.from_regex(r"[a-z0-9]{1,20}(/[a-z0-9]{1,20})?", fullmatch=True),
    st.one_of(job_names.map(":{}".format), st.just("@sha256:" + "0123456789abcdef" * 4)),
)

access_key_ids = st.builds(
    str.__add__,
    st.sampled_from(("AKIA", "ASIA")),
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=16, max_size=16),
)

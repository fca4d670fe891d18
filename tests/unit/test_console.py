"""Console links: right for the partition, and decodable to what they were made of."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.arn import Arn
from mlflow_smwatch.core.console import (
    MetricSeries,
    job_url,
    log_group_url,
    metrics_url,
    s3_url,
)
from tests.strategies import any_text, arns, awkward_names, buckets, partitions, regions

GROUP = "/aws/sagemaker/TrainingJobs"
FRAGMENT = re.compile(r"[A-Za-z0-9_.~!$%&'()*+,;=:@/?-]*")
HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}

series_lists = st.lists(
    st.tuples(
        awkward_names,
        awkward_names,
        st.lists(st.tuples(awkward_names, awkward_names), max_size=3).map(tuple),
    ),
    max_size=4,
)


def twice_decoded(text: str) -> str:
    """Undo the encoding of the logs console."""
    return unquote(unquote(text.replace("$", "%")))


def page_of(url: str, partition: str, region: str, service: str) -> str:
    """Return the fragment of a link, once host, path and region are found right."""
    parts = urlsplit(url)
    assert parts.scheme == "https"
    assert parts.netloc == f"{region}.{HOSTS[partition]}"
    assert parts.path == f"/{service}/home"
    assert parse_qs(parts.query) == {"region": [region]}
    assert FRAGMENT.fullmatch(parts.fragment)
    return parts.fragment


class Jsurl:
    """A reader of JSURL, written from its grammar."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def take(self, pattern: str) -> str:
        """Consume what matches here."""
        match = re.compile(pattern).match(self.text, self.at)
        assert match, (pattern, self.text[self.at :])
        self.at = match.end()
        return match.group()

    def value(self) -> object:
        """Read one value."""
        self.take("~")
        if self.text.startswith("'", self.at):
            self.take("'")
            return self.string()
        if not self.text.startswith("(", self.at):
            return int(self.take("-?[0-9]+"))
        self.take(r"\(")
        return self.array() if self.text.startswith("~", self.at) else self.members()

    def array(self) -> list[object]:
        """Read the items of an array and its end."""
        items: list[object] = []
        if self.text.startswith("~)", self.at):
            self.take("~")
        while not self.text.startswith(")", self.at):
            items.append(self.value())
        self.take(r"\)")
        return items

    def members(self) -> dict[str, object]:
        """Read the members of an object and its end."""
        members: dict[str, object] = {}
        while True:
            name = self.take("[a-z]+")
            members[name] = self.value()
            if self.take("[~)]") == ")":
                return members

    def string(self) -> str:
        """Read the characters of a string."""
        units = ""
        for token in re.findall(r"\*\*....|\*..|.", self.take(r"[\w.*-]*")):
            units += chr(int(token.lstrip("*"), 16)) if token.startswith("*") else token
        return units.encode("utf-16", "surrogatepass").decode("utf-16")


@pytest.mark.parametrize("partition", HOSTS)
@pytest.mark.parametrize(
    ("resource_type", "page"),
    [
        ("training-job", "jobs"),
        ("processing-job", "processing-jobs"),
        ("transform-job", "transform-jobs"),
        ("hyper-parameter-tuning-job", "hyper-tuning-jobs"),
        ("endpoint", "endpoints"),
    ],
)
def test_job_page(partition: str, resource_type: str, page: str) -> None:
    """Each partition has its own console, each kind its own page."""
    arn = Arn.parse(f"arn:{partition}:sagemaker:xx-west-1:123456789012:{resource_type}/mine")
    assert job_url(arn) == (
        f"https://xx-west-1.{HOSTS[partition]}/sagemaker/home?region=xx-west-1#/{page}/mine"
    )


@pytest.mark.parametrize(
    "resource",
    [
        "automl-job/a",
        "experiment-trial/t",
        "experiment-trial-component/c",
        "pipeline/p/execution/x",
        "model/m",
    ],
)
def test_no_job_page(resource: str) -> None:
    """What only SageMaker Studio shows has no address."""
    arn = Arn.parse(f"arn:aws:sagemaker:us-east-1:123456789012:{resource}")
    assert job_url(arn) == ""


@given(arns, awkward_names)
def test_job_page_decodes(arn: Arn, name: str) -> None:
    """Any name comes back from the link."""
    odd = Arn(
        partition=arn.partition,
        service="sagemaker",
        region=arn.region,
        account=arn.account,
        resource=f"training-job/{name}",
    )
    page = page_of(job_url(odd), arn.partition, arn.region, "sagemaker")
    assert unquote(page) == f"/jobs/{name}"
    assert page.count("/") == 2


def test_log_links() -> None:
    """The logs console encodes twice, with ``$`` for ``%``."""
    base = "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:"
    group = f"{base}log-groups/log-group/$252Faws$252Fsagemaker$252FTrainingJobs"
    assert log_group_url("aws", "us-east-1", GROUP) == group
    assert log_group_url("aws", "us-east-1", GROUP, "my-job/") == (
        f"{group}$3FlogStreamNameFilter$3Dmy-job$252F"
    )


@given(partitions, regions, awkward_names, awkward_names)
def test_log_links_decode(partition: str, region: str, group: str, stream: str) -> None:
    """Any group and prefix come back from the links."""
    page = page_of(log_group_url(partition, region, group, stream), partition, region, "cloudwatch")
    prefix, _, rest = page.partition("log-groups/log-group/")
    assert prefix == "logsV2:"
    encoded_group, found, encoded_stream = rest.partition("$3FlogStreamNameFilter$3D")
    assert found
    assert twice_decoded(encoded_group) == group
    assert twice_decoded(encoded_stream) == stream


@pytest.mark.parametrize(
    ("uri", "rest"),
    [
        ("s3://b/a/model.tar.gz", "object/b?region=eu-west-1&prefix=a%2Fmodel.tar.gz"),
        ("s3://b/out/", "buckets/b?region=eu-west-1&prefix=out%2F"),
        ("s3://b", "buckets/b?region=eu-west-1"),
        ("s3://b/", "buckets/b?region=eu-west-1"),
    ],
)
def test_s3_links(uri: str, rest: str) -> None:
    """Objects, folders and buckets have a page each."""
    assert s3_url("aws-cn", "eu-west-1", uri) == (
        f"https://eu-west-1.console.amazonaws.cn/s3/{rest}"
    )


@given(partitions, regions, buckets, awkward_names.filter(bool))
def test_s3_links_decode(partition: str, region: str, bucket: str, key: str) -> None:
    """Any bucket and key come back from the link."""
    parts = urlsplit(s3_url(partition, region, f"s3://{bucket}/{key}"))
    assert parts.netloc == f"{region}.{HOSTS[partition]}"
    assert parts.path == f"/s3/{'buckets' if key.endswith('/') else 'object'}/{bucket}"
    assert parse_qs(parts.query) == {"region": [region], "prefix": [key]}
    assert not parts.fragment


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://example.com/x",
        "file:///etc/passwd",
        "s3://",
        "s3:///key",
        "s3://a b/key",
        "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/ap/key",
    ],
)
def test_no_s3_link(uri: str) -> None:
    """What is no object in a bucket has no link."""
    assert s3_url("aws", "eu-west-1", uri) == ""


def test_metrics_link() -> None:
    """The metrics console reads JSURL."""
    series: list[MetricSeries] = [
        ("/aws/sagemaker/TrainingJobs", "CPUUtilization", (("Host", "job/algo-1"),)),
        ("/aws/sagemaker/TrainingJobs", "train:loss", (("TrainingJobName", "job"),)),
    ]
    url = metrics_url("aws", "us-east-1", series, 1_700_000_000_000, 1_700_000_060_500, 60)
    assert url == (
        "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
        "#metricsV2:graph=~(metrics~("
        "~(~'*2faws*2fsagemaker*2fTrainingJobs~'CPUUtilization~'Host~'job*2falgo-1)"
        "~(~'*2faws*2fsagemaker*2fTrainingJobs~'train*3aloss~'TrainingJobName~'job))"
        "~view~'timeSeries~region~'us-east-1~stat~'Average~period~60"
        "~start~'2023-11-14T22*3a13*3a20.000Z~end~'2023-11-14T22*3a14*3a20.500Z)"
    )


@given(partitions, regions, series_lists, st.integers(0, 4_000_000_000_000))
def test_metrics_link_decodes(
    partition: str, region: str, series: list[MetricSeries], start_ms: int
) -> None:
    """Any series come back from the link."""
    url = metrics_url(partition, region, series, start_ms, start_ms + 1, 300)
    page = page_of(url, partition, region, "cloudwatch")
    reader = Jsurl(page.removeprefix("metricsV2:graph="))
    graph = reader.value()
    assert reader.at == len(reader.text)
    assert isinstance(graph, dict)
    assert graph["metrics"] == [
        [namespace, name, *(part for pair in dimensions for part in pair)]
        for namespace, name, dimensions in series
    ]
    assert (graph["region"], graph["period"]) == (region, 300)


@pytest.mark.parametrize(
    ("partition", "region"),
    [
        ("aws-iso", "us-iso-east-1"),
        ("", "us-east-1"),
        ("aws", ""),
        ("aws", "evil.example/"),
        ("aws", "us-east-1\n"),
        ("aws", "me@evil.example#"),
    ],
)
def test_no_console(partition: str, region: str) -> None:
    """Where there is no console there is no link."""
    arn = Arn(partition=partition, service="s", region=region, account="", resource="endpoint/b")
    assert job_url(arn) == ""
    assert log_group_url(partition, region, "g") == ""
    assert s3_url(partition, region, "s3://b/k") == ""
    assert metrics_url(partition, region, [], 0, 1, 60) == ""


@given(any_text)
def test_text_that_cannot_be_encoded(text: str) -> None:
    """Lone surrogates neither fail nor get into a link."""
    series = [(text, text, ((text, text),))]
    for url in (
        log_group_url("aws", "us-east-1", text, text),
        s3_url("aws", "us-east-1", f"s3://b/{text}"),
        metrics_url("aws", "us-east-1", series, 0, 1, 60),
    ):
        assert url.isascii()
        assert url.isprintable()

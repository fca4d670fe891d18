"""Redaction: what goes, what stays, and that it is quick."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_smwatch.core.redact import Redaction
from mlflow_smwatch.core.secret_names import is_secret_name
from tests.strategies import (
    access_key_ids,
    arns,
    hexadecimal,
    image_uris,
    job_names,
    s3_uris,
    storable_text,
)

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
COMMIT = "3f786850e387550fdab836ed7e6dc881de23001b"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
PRIVATE_KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nq2w/+8=\n-----END RSA PRIVATE KEY-----"
)
SIGNED_URL = (
    "GET https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}"
    "&X-Amz-Security-Token={}&X-Amz-Signature={}&x=1 failed"
)
HOSTILE_SIZE = 64 * 1024
HOSTILE_SECONDS = 2.0

redact_answer, redact_text = Redaction().answer, Redaction().text

plain_values = st.one_of(arns.map(str), s3_uris, image_uris, hexadecimal, job_names)


SECRET_NAMES = """
api_token API_TOKEN apiToken APIToken APItoken HFtoken token hf.token hf-token model/api_token
token2 --api-token AWS_SECRET_ACCESS_KEY aws_access_key_id AwsSecretAccessKey secret client_secret
passwd dbPassword DB_PASSWORD MYSQL_PWD credential gcp-credentials api_key apiKey APIKey
WANDB_API_KEY apikey APIKEY private.key signing-key secret_key access_key
PGPASSWORD DBPASSWORD MYSQLPWD my_HFTOKEN PGPASSWD2 DBSECRET_OLD
"""
OTHER_NAMES = """
tokenizer TOKENIZER NUMTOKENS TOKENS PASSWORDLESS
max_tokens num_tokens tokenizer_name num_keys key primary_key foreignKey key_api
keyboard_access kms_key_id access_point monkey api_keyboard secretary passwordless detokenize api
learning_rate private access_to_key 损失
"""


@pytest.mark.parametrize("name", [*SECRET_NAMES.split(), "hf token", "api key"])
def test_secret_names(name: str) -> None:
    """A name is secret for one of its words."""
    assert is_secret_name(name)


@pytest.mark.parametrize("name", [*OTHER_NAMES.split(), "", "key api", "access the key"])
def test_other_names(name: str) -> None:
    """Parts of words, and key alone, are not secret."""
    assert not is_secret_name(name)


@given(
    st.sampled_from(["secret", "token", "password", "passwd", "pwd", "credential", "api_key"]),
    st.sampled_from(["_", "-", ".", " "]),
    st.lists(st.sampled_from(["my", "db", "v2", "HF"]), max_size=3),
    st.sampled_from([str.lower, str.upper, str.title]),
)
def test_secret_word_anywhere(
    word: str, separator: str, others: list[str], case: Callable[[str], str]
) -> None:
    """Case, separator and neighbours do not matter."""
    assert is_secret_name(case(separator.join([*others, word, *others])))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (KEY_ID, "***"),
        (f"key {KEY_ID} is wrong", "key *** is wrong"),
        (f"('{KEY_ID}', 'ASIA234567ABCDEFGHIJ')", "('***', '***')"),
        (f"key_{KEY_ID}", "key_***"),
        (SECRET_KEY, "***"),
        (f"with {SECRET_KEY}.", "with ***."),
        (f"secret={SECRET_KEY}", "secret=***"),
        ("aws_secret_access_key = " + "a" * 40, "aws_secret_access_key = ***"),
        ('"SecretAccessKey": "' + "b" * 40 + '",', '"SecretAccessKey": "***",'),
        ("SessionToken='" + "Ab1" * 30 + "'", "SessionToken='***'"),
        ("got IQoJb3JpZ2luX2VjE" + "Ab1/+" * 30 + "== here", "got *** here"),
        (f"a\n{PRIVATE_KEY}\nb", "a\n***\nb"),
        (PRIVATE_KEY.replace("\n", "\\n") + '"}', '***"}'),
        ("x -----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz", "x ***"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----.", "***."),
        (
            SIGNED_URL.format(f"{KEY_ID}%2F2024", "IQoJ%2Fx", SHA256),
            SIGNED_URL.format("***", "***", "***"),
        ),
        (
            f"GET /k?AWSAccessKeyId={KEY_ID}&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D&Expires=1",
            "GET /k?AWSAccessKeyId=***&Signature=***&Expires=1",
        ),
        ("https://a.blob.core.windows.net/c?sv=1&sig=abcDEF%3D&se=2", None),
        (f"SignedHeaders=host, Signature={SHA256}", "SignedHeaders=host, Signature=***"),
        ("X-Amz-Security-Token: FwoGZXIvYXdzE", "X-Amz-Security-Token: ***"),
        (
            'ExecuteUserScriptError: Command "python train.py --api-token abc --epochs 3"',
            'ExecuteUserScriptError: Command "python train.py --api-token *** --epochs 3"',
        ),
        ("run --password='a b' -v", "run --password='***' -v"),
        ("run -password hunter2", "run -password ***"),
        ('Command "train --password hunter2"', 'Command "train --password ***"'),
        ("['train', '--api-token', 'abc', '-v']", "['train', '--api-token', '***', '-v']"),
        ("--verbose --token x", "--verbose --token ***"),
        ("--token --verbose", "--token --verbose"),
    ],
)
def test_secrets_in_text(text: str, expected: str | None) -> None:
    """The secret goes, the rest stays; twice is once."""
    expected = expected or text.replace("abcDEF%3D", "***")
    assert redact_text(text) == expected
    assert redact_text(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AlgorithmError: exit code 1",
        COMMIT,
        SHA256,
        f"commit {COMMIT} of main",
        f"sha256:{SHA256}",
        "arn:aws:sagemaker:us-east-1:123456789012:training-job/my-job",
        "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole-20240101T1",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:token-AbCdEf",
        "s3://bucket/token=1/password/model.tar.gz",
        "s3://my-bucket/Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2/out",
        "https://example.com/a?b=c&design=3&token_count=4",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.0-gpu-py310",
        "dGhpcy1sb29rcy1saWtlLWJhc2U2NA",
        "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2Yz3A",
        "data/Train/ImageNet2012/shards/part00001",
        "opt/ml/checkpoints/Epoch12/weights/final",
        "PyTorch/ResNet50/Adam/Lr001/Batch64/Run7",
        "AKIA is a prefix",
        "AKIAIOSFODNN7EXAMPLES",
        "pytorch-training-2024-01-01-12-00-00-000",
        "The security token included in the request is expired",
        r"#quality_metric: host=\S+, train loss <loss>=(\S+)",
        r'"eval_token_acc": ([0-9\.]+)',
        r".*?sig=([0-9\.]+)",
        r".*?Signature=([0-9\.]+);",
        "--tokenizer bert --max-tokens 5 -key a",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    ],
)
def test_texts_that_stay(text: str) -> None:
    """Identifiers, hashes, paths, metric regexes and plain words are no secrets."""
    assert redact_text(text) == text


@given(plain_values)
def test_identifiers_stay(text: str) -> None:
    """ARNs, URIs, hashes and job names come through untouched, alone and in a sentence."""
    assert redact_text(text) == text
    assert redact_text(f"failed: {text} (see logs)") == f"failed: {text} (see logs)"
    assert redact_answer({"HyperParameters": {"x": text}}) == {"HyperParameters": {"x": text}}


@given(access_key_ids, st.sampled_from(" \n'\"=:,;()[]{}<>&%_/.-"))
def test_key_ids_go(key_id: str, border: str) -> None:
    """A key id is found beside any separator."""
    assert redact_text(f"a{border}{key_id}{border}b") == f"a{border}***{border}b"


@given(
    st.text(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", min_size=39, max_size=39
    ),
    st.integers(1, 39),
    st.sampled_from("+/"),
)
def test_secret_keys_go(letters: str, at: int, symbol: str) -> None:
    """Forty characters that switch as often as a random key does are hidden."""
    kinds = [(char.isdigit(), char.isupper()) for char in letters]
    switches = sum(first != last for first, last in pairwise(kinds))
    key = letters[:at] + symbol + letters[at:]
    assert (redact_text(f"key: {key}!") == "key: ***!") is (switches >= 12)


@given(storable_text)
def test_redacting_twice_is_redacting_once(text: str) -> None:
    """Redacted text has nothing left to redact."""
    once = redact_text(text)
    assert redact_text(once) == once


def test_named_values() -> None:
    """Values with a secret name go, in every map of a user's names."""
    answer = {
        "Environment": {"HF_TOKEN": "x", "TOKENIZERS": "y", "EMPTY_SECRET": ""},
        "HyperParameters": {"api_token": '"abc"', "epochs": "3"},
        "TrainingJobDefinition": {
            "StaticHyperParameters": {"db_password": "p", "lr": "0.1"},
            "HyperParameterRanges": {
                "CategoricalParameterRanges": [
                    {"Name": "api_key", "Values": ["a", "b"]},
                    {"Name": "optimizer", "Values": ["sgd", "adam"]},
                ]
            },
        },
        "BestTrainingJob": {"TunedHyperParameters": {"secret": "s", "lr": "0.2"}},
        "Parameters": {
            "api_token": {"StringValue": "t"},
            "token_count": {"NumberValue": 3.0},
            "lr": {"NumberValue": 0.5},
        },
        "Tags": [{"Key": "db-password", "Value": "p"}, {"Key": "team", "Value": "token"}],
    }
    assert redact_answer(answer) == {
        "Environment": {"HF_TOKEN": "***", "TOKENIZERS": "y", "EMPTY_SECRET": "***"},
        "HyperParameters": {"api_token": "***", "epochs": "3"},
        "TrainingJobDefinition": {
            "StaticHyperParameters": {"db_password": "***", "lr": "0.1"},
            "HyperParameterRanges": {
                "CategoricalParameterRanges": [
                    {"Name": "api_key", "Values": ["***", "***"]},
                    {"Name": "optimizer", "Values": ["sgd", "adam"]},
                ]
            },
        },
        "BestTrainingJob": {"TunedHyperParameters": {"secret": "***", "lr": "0.2"}},
        "Parameters": {
            "api_token": {"StringValue": "***"},
            "token_count": {"StringValue": "***"},
            "lr": {"NumberValue": 0.5},
        },
        "Tags": [{"Key": "db-password", "Value": "***"}, {"Key": "team", "Value": "token"}],
    }


def test_api_fields_stay() -> None:
    """Fields of the API whose names hold secret words, dates, numbers and identifiers stay."""
    answer = {
        "TrainingJobName": "ASIAPACIFICMODEL2024",
        "TrainingJobArn": f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{KEY_ID}",
        "CreationTime": datetime(2024, 1, 1, tzinfo=timezone.utc),
        "BillableTokenCount": 7,
        "NextToken": "abc",
        "EnableManagedSpotTraining": True,
        "AlgorithmSpecification": {
            "TrainingImageConfig": {
                "TrainingRepositoryAuthConfig": {
                    "TrainingRepositoryCredentialsProviderArn": "arn:aws:lambda:r:1:f"
                }
            },
            "MetricDefinitions": [{"Name": "token:acc", "Regex": '"token": ([0-9.]+)'}],
        },
        "OutputDataConfig": {"KmsKeyId": "k", "S3OutputPath": "s3://b/secret/token"},
        "FinalMetricDataList": [{"MetricName": "password", "Value": 0.5}],
        "Nothing": None,
        "Body": b"AKIA",
    }
    assert redact_answer(answer) == answer


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"-token_accuracy=([0-9.]+)", None),
        (r"--token-loss ([0-9.]+)", None),
        (r"['\"]--secret['\"], ([0-9.]+)", None),
        (rf"{KEY_ID}=([0-9.]+)", r"***=([0-9.]+)"),
        (rf"{SECRET_KEY} ([0-9.]+)", r"*** ([0-9.]+)"),
        (rf"(.*){PRIVATE_KEY}", r"(.*)***"),
        (rf"k\?X-Amz-Signature={SHA256}&x=([0-9.]+)", r"k\?X-Amz-Signature=***&x=([0-9.]+)"),
    ],
)
def test_metric_patterns(pattern: str, expected: str | None) -> None:
    """What follows an option's name in a regular expression is a pattern, not its value."""

    def answer(regex: str) -> dict[str, object]:
        definitions = [{"Name": "loss", "Regex": regex}]
        return {"AlgorithmSpecification": {"MetricDefinitions": definitions}}

    assert redact_answer(answer(pattern)) == answer(expected or pattern)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--api-token", "X", "Y"], ["--api-token", "***", "Y"]),
        (["-password", "X"], ["-password", "***"]),
        (["--password=X Y"], ["--password=***"]),
        (["--password="], ["--password=***"]),
        (["--token", "--verbose", "1"], ["--token", "--verbose", "1"]),
        (["--token", "-v", "1"], ["--token", "-v", "1"]),
        (["--password", "-s3cret"], ["--password", "***"]),
        (["--token"], ["--token"]),
        (["token", "X"], ["token", "X"]),
        (["API_TOKEN=X", "LR=1"], ["API_TOKEN=***", "LR=1"]),
        (["--tokenizer", "X", "--key", "Y"], ["--tokenizer", "X", "--key", "Y"]),
        (["sh", "-c", "train --api-token X -v"], ["sh", "-c", "train --api-token *** -v"]),
        (["-c", "export API_TOKEN='a b'; run"], ["-c", "export API_TOKEN='***'; run"]),
        (['{"api_key": "X"}'], ['{"api_key": "***"}']),
        (["s3://b/token=1/x", "https://h/?token=1"], ["s3://b/token=1/x", "https://h/?token=1"]),
        ([f"x={KEY_ID}"], ["x=***"]),
        (["", "--token", "", "X"], ["", "--token", "", "X"]),
    ],
)
def test_container_arguments(arguments: list[str], expected: list[str]) -> None:
    """The value after a secret option goes."""
    for name in ("ContainerArguments", "ContainerEntrypoint"):
        assert redact_answer({"AppSpecification": {name: arguments}}) == {
            "AppSpecification": {name: expected}
        }
    assert redact_answer({"ContainerArguments": tuple(arguments)}) == {
        "ContainerArguments": expected
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('{"API_TOKEN": "x", "A": 1.10}', '{"API_TOKEN": "***", "A": 1.10}'),
        ('{"a": [{"password" : "x\\"y"}, "b"]}', '{"a": [{"password" : "***"}, "b"]}'),
        ('{"credentials": {"user": "u", "x": ["}"]}, "b": 2}', '{"credentials": "***", "b": 2}'),
        ('{"token": [1, [2, "]"]]}', '{"token": "***"}'),
        ('{"pin_token": 123, "b": null}', '{"pin_token": "***", "b": null}'),
        ('{"api\\u005ftoken": "x"}', '{"api\\u005ftoken": "***"}'),
        ('[{"api_key": "é"}, "é"]', '[{"api_key": "***"}, "é"]'),
        ('{"API_TOKEN": "cut off', '{"API_TOKEN": "***"'),
        ('{"API_TOKEN": {"a": "cut off', '{"API_TOKEN": "***"'),
        ('{"API_TOKEN":}', '{"API_TOKEN":"***"}'),
        ('{"API_TOKEN":', '{"API_TOKEN":"***"'),
        ('{"tokenizer": "x"}', '{"tokenizer": "x"}'),
        ('"a \\"quoted\\" word"', '"a \\"quoted\\" word"'),
        ('"broken', '"broken'),
        ("{not json}", "{not json}"),
        ("5", "5"),
        ('say "token": "x"', 'say "token": "x"'),
    ],
)
def test_json_in_values(value: str, expected: str) -> None:
    """Members with a secret name go; whatever else the text holds stays to the letter."""
    for name in ("HyperParameters", "Environment"):
        assert redact_answer({name: {"x": value}}) == {name: {"x": expected}}
    assert redact_answer({"Tags": [{"Key": "x", "Value": value}]}) == {
        "Tags": [{"Key": "x", "Value": expected}]
    }


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_json_in_json(levels: int) -> None:
    """JSON that was encoded several times over is read to its ground."""
    value, expected = '{"API_TOKEN": "geheim", "a": "é"}', '{"API_TOKEN": "***", "a": "é"}'
    for level in range(levels):
        value = json.dumps({"env": value} if level % 2 else value)
        expected = json.dumps({"env": expected} if level % 2 else expected)
    assert redact_answer({"Environment": {"x": value}}) == {"Environment": {"x": expected}}


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(st.characters(codec="utf-8"))),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "tokenizer", "b c"]), inner, max_size=3),
    ),
    max_leaves=10,
)


@given(json_values, json_values, st.sampled_from([None, 2]), st.booleans())
def test_json_stays_json(
    secret: object, plain: object, indent: int | None, ascii_only: bool
) -> None:
    """Whatever stands under a secret name goes, its neighbours are equal, the JSON is whole."""
    value = {"a": plain, "n": {"api_key": secret, "b": plain}}
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    redacted = redact_answer({"HyperParameters": {"x": text}})["HyperParameters"]
    assert isinstance(redacted, dict)
    plain_after = json.loads(redact_text(json.dumps(plain)))
    assert json.loads(redacted["x"]) == {
        "a": plain_after,
        "n": {"api_key": "***", "b": plain_after},
    }


def test_echoes() -> None:
    """A secret that was hidden by its name is hidden where a status repeats it."""
    answer = {
        "FailureReason": "login with hunter2-hunter2 and pass-phrase failed, pin 1234",
        "SecondaryStatusTransitions": [{"StatusMessage": "hunter2-hunter2?"}],
        "HyperParameters": {"password": "hunter2", "db_password": "hunter2-hunter2"},
        "Environment": {"PIN_TOKEN": "1234", "URI": "s3://hunter2/x"},
        "AppSpecification": {"ContainerArguments": ["--password=pass-phrase"]},
        "TrainingJobName": "hunter2",
    }
    redacted = redact_answer(answer)
    assert redacted["FailureReason"] == "login with *** and *** failed, pin 1234"
    assert redacted["SecondaryStatusTransitions"] == [{"StatusMessage": "***?"}]
    assert redacted["Environment"] == {"PIN_TOKEN": "***", "URI": "s3://hunter2/x"}
    assert redacted["TrainingJobName"] == "hunter2"


def test_answer_is_not_changed() -> None:
    """The answer that was given stays as it is."""
    answer = {"Environment": {"TOKEN": "x"}, "L": [{"Key": "secret", "Value": "y"}]}
    redact_answer(answer)
    assert answer == {"Environment": {"TOKEN": "x"}, "L": [{"Key": "secret", "Value": "y"}]}


HOSTILE_UNITS = r"""
a A AKIA / - " ' \ \" [ { {"token": {"token":[ {"a":" {"a":{"token": ["\" --token --token" -a -a=
API_TOKEN= secret_access_key= -----BEGIN X-Amz-Signature= ?sig= Signature= é a. a_
IQoJb3JpZ2lu arn:aws :// a:// wJalrXUtnFEMI/K7 aB1/
"""
SPACED_UNITS = (
    " ",
    "--token ",
    "--token '",
    "-a ",
    " -token=\t",
    "session token:        ",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN A PRIVATE KEY",
)


@pytest.mark.parametrize("unit", [*HOSTILE_UNITS.split(), *SPACED_UNITS])
@pytest.mark.parametrize("frame", ["{}", '["{}'])
def test_hostile_text_is_quick(unit: str, frame: str) -> None:
    """However a text is made, it is read in linear time."""
    text = frame.replace("{}", unit * (HOSTILE_SIZE // len(unit)))
    began = time.perf_counter()
    redact_answer(
        {
            "FailureReason": text,
            "HyperParameters": {"x": text, text: "y"},
            "ContainerArguments": [text],
        }
    )
    assert time.perf_counter() - began < HOSTILE_SECONDS

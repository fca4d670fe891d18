"""The page on sources: its tables are read as a configuration file's are; each key is named."""

from __future__ import annotations

import sys

import pytest

from mlflow_smwatch.core.source_tables import SERIES_KEYS, SOURCE_KEYS
from mlflow_smwatch.core.sources import read_sources
from tests.docs.documents import Block, blocks, names, read, rows

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = read("docs/sources.md")
TABLES = [block for block in blocks(PAGE) if block.mark == "source"]


@pytest.mark.parametrize("block", TABLES)
def test_each_example_is_read(block: Block) -> None:
    """As ``smwatch.toml`` with these tables is."""
    (source,) = read_sources("smwatch.toml", tomllib.loads(block.text)["source"])
    assert source.series or source.log_groups


def test_each_key_is_documented() -> None:
    """In the table of keys, none besides; those of a series by name."""
    assert [row[0].strip("`") for row in rows(PAGE, "key", "value")] == list(SOURCE_KEYS)
    assert set(SERIES_KEYS) <= names(PAGE)


def test_there_is_an_example_for_each_use() -> None:
    """All blocks of the page are examples that are tested."""
    assert len(TABLES) == len(blocks(PAGE)) == 5

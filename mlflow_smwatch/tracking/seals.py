"""The key that seals runs, and the seals of one pass."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass

import sqlalchemy
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from mlflow_smwatch.core import tags as names
from mlflow_smwatch.core.errors import JobError
from mlflow_smwatch.core.matching import KnownRun
from mlflow_smwatch.core.seal import is_sealed, knowledge, seal, sealed_creation_ms
from mlflow_smwatch.tracking.database import opened
from mlflow_smwatch.tracking.uris import database_uri, shown_uri

logger = logging.getLogger(__name__)

KEY_VARIABLE = "SMWATCH_SEAL_KEY"
"""Environment variable of a key that mirror and server share."""

_KEY_BYTES = 32
_ONLY_ROW = 1
_TABLE = sqlalchemy.Table(
    "smwatch_key",
    sqlalchemy.MetaData(),
    sqlalchemy.Column("id", sqlalchemy.Integer, primary_key=True, autoincrement=False),
    sqlalchemy.Column("secret", sqlalchemy.String(2 * _KEY_BYTES), nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seals:
    """What seals the runs of one pass.

    Attributes
    ----------
    wanted
        Whether runs are to be sealed at all.
    key
        The store's key; without one a seal shows knowledge of the job.
    warnings
        Why there is no key where there should be one.
    """

    wanted: bool = False
    key: bytes | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, uri: str, environ_key: str | None, *, create: bool) -> Seals:
        """Prepare to seal the runs of a store.

        There is no key where the store is no database, has none yet, or does not allow one.

        Parameters
        ----------
        uri
            Tracking URI. A database keeps a random key in a table of its own, which no call of
            MLflow's reaches.
        environ_key
            Value of :data:`KEY_VARIABLE`, which wins; None or empty where it is not set.
        create
            Whether to make a key where a database has none.
        """
        if environ_key:
            return cls(wanted=True, key=environ_key.encode())
        database = database_uri(uri)
        if database is None:
            return cls(wanted=True)
        try:
            with opened(database, f"no key can be kept in {shown_uri(database)}") as engine:
                return cls(wanted=True, key=_stored_key(engine, create=create))
        except JobError as error:
            warning = (
                f"{error}; runs are sealed by what only those know who may read the job: allow this"
                f" user to create the table {_TABLE.name}, or give mirror and server the same"
                f" {KEY_VARIABLE}"
            )
            return cls(wanted=True, warnings=(warning,))

    def notes(
        self, run: KnownRun, arn: str, created_ms: int, role_arn: str | None
    ) -> dict[str, str]:
        """Give the tag that seals a run; none where it has its seal, or runs are not sealed.

        Parameters
        ----------
        run
            The run.
        arn, created_ms, role_arn
            As AWS describes what the run stands for.
        """
        if self.is_right(run, arn, created_ms, role_arn):
            return {}
        key = self._key_of(arn, created_ms, role_arn)
        return {names.SEAL: seal(key, run.run_id, arn, created_ms)}

    def is_right(self, run: KnownRun, arn: str, created_ms: int, role_arn: str | None) -> bool:
        """Whether a run has its seal, or needs none; arguments as of :meth:`notes`.

        Without a key, a seal that may be by one is left as it is: a mirror that shares the key made
        it.
        """
        if not self.wanted:
            return True
        if self.key is None and sealed_creation_ms(run.tags.get(names.SEAL)) == created_ms:
            return True
        return self.is_sealed(run, arn, created_ms, role_arn)

    def is_sealed(self, run: KnownRun, arn: str, created_ms: int, role_arn: str | None) -> bool:
        """Whether a run has the seal that this mirror gives; arguments as of :meth:`notes`."""
        if not self.wanted:
            return False
        key, tag = self._key_of(arn, created_ms, role_arn), run.tags.get(names.SEAL)
        return is_sealed(tag, key, run.run_id, arn, created_ms)

    def _key_of(self, arn: str, created_ms: int, role_arn: str | None) -> bytes:
        return self.key or knowledge(arn, created_ms, role_arn)


def _stored_key(engine: sqlalchemy.Engine, *, create: bool) -> bytes | None:
    if not sqlalchemy.inspect(engine).has_table(_TABLE.name):
        if not create:
            return None
        _make_table(engine)
    found = _read(engine)
    if found is None and create:
        _put(engine, secrets.token_hex(_KEY_BYTES))
        found = _read(engine)
    return bytes.fromhex(found) if found else None


def _make_table(engine: sqlalchemy.Engine) -> None:
    """Make the table; another mirror may do so at the same moment."""
    try:
        _TABLE.create(engine)
    except SQLAlchemyError:
        if not sqlalchemy.inspect(engine).has_table(_TABLE.name):
            raise


def _put(engine: sqlalchemy.Engine, secret: str) -> None:
    """Enter a key unless there is one: of several mirrors the first one's stays."""
    try:
        with engine.begin() as connection:
            connection.execute(_TABLE.insert().values(id=_ONLY_ROW, secret=secret))
    except IntegrityError:
        logger.debug("another mirror has made the key")


def _read(engine: sqlalchemy.Engine) -> str | None:
    with engine.connect() as connection:
        query = sqlalchemy.select(_TABLE.c.secret).where(_TABLE.c.id == _ONLY_ROW)
        secret: str | None = connection.execute(query).scalar()
        return secret

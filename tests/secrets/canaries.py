"""Texts that occur nowhere else: secrets, which must be found nowhere, and others, which must."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

_FILLING = "CANARYKEY"


@dataclass
class Canaries:
    """All that was planted.

    Attributes
    ----------
    secrets, others
        Text → where it was planted.
    """

    secrets: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)

    def secret(self, where: str) -> str:
        """Make a secret of which nothing but its place tells that it is one."""
        return self._planted(f"geheim{self._digest(where)[:12]}", where)

    def number(self, where: str) -> str:
        """Make a secret that is a number."""
        return self._planted(str(10**11 + int(self._digest(where)[:9], 16)), where)

    def other(self, where: str) -> str:
        """Make a text that is no secret: where it is missing, nothing was mirrored."""
        text = f"offen{self._digest(where)[:12]}"
        self.others[text] = where
        return text

    def key_id(self, where: str) -> str:
        """Make an access key id."""
        return self._planted(f"AKIA{_FILLING}{int(self._digest(where)[:6], 16) % 10**7:07}", where)

    def secret_key(self, where: str) -> str:
        """Make a secret access key."""
        drawn = base64.b64encode(hashlib.sha256(where.encode()).digest()).decode()[:40]
        return self._planted(f"{drawn[:13]}/{drawn[14:]}", where)

    def session_token(self, where: str) -> str:
        """Make a session token."""
        return self._planted(f"IQoJb3JpZ2luX2VjE{self._digest(where)}", where)

    def signed_url(self, where: str, place: str = "https://b.s3.amazonaws.com/k") -> str:
        """Make a presigned URL; its credential, token and signature are each a secret."""
        credential, token, signature = (
            self._planted(self._digest(f"{where} {part}"), f"{where}: {part} of a URL")
            for part in ("credential", "token", "signature")
        )
        return (
            f"{place}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}%2F20260101"
            f"&X-Amz-Security-Token={token}&X-Amz-Signature={signature}"
        )

    def private_key(self, where: str) -> str:
        """Make a block with a private key."""
        kind = "RSA PRIVATE KEY"
        return f"-----BEGIN {kind}-----\n{self.secret(where)}\n-----END {kind}-----"

    def login(self, where: str) -> str:
        """Make a URL with a password."""
        return f"postgresql://bob:{self.secret(where)}@db.example.com/x"

    def command(self, where: str) -> str:
        """Make a command line with secret options."""
        first, second = self.secret(f"{where}, --api-token"), self.secret(f"{where}, --password=")
        return f"train --api-token {first} --password={second} --epochs 3"

    def sentence(self, where: str, limit: int = 1000) -> str:
        """Make a text of at most so many characters, with one secret of each sort."""
        makers = (self.key_id, self.secret_key, self.login, self.command, self.session_token)
        text = self.other(where)
        for make in (*makers, self.signed_url, self.private_key):
            trial = Canaries()
            part = getattr(trial, make.__name__)(f"{where}: {make.__name__}")
            if len(text) + len(part) < limit:
                self.secrets |= trial.secrets
                text = f"{text} {part}"
        return text

    def _planted(self, text: str, where: str) -> str:
        self.secrets[text] = where
        return text

    @staticmethod
    def _digest(where: str) -> str:
        return hashlib.sha256(where.encode()).hexdigest()


def stored(folder: Path) -> dict[str, bytes]:
    """Read every file below a folder; of databases all their tables as well."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = str(path.relative_to(folder))
        found[name] = path.read_bytes()
        if found[name].startswith(b"SQLite format 3"):
            with closing(sqlite3.connect(path)) as connection:
                found[f"{name}: tables"] = "\n".join(connection.iterdump()).encode()
    return found


def sightings(wanted: dict[str, str], found: dict[str, bytes]) -> list[str]:
    """Say which of some texts stand in which file, and where they were planted."""
    return [
        f"{where}: {text} is in {name}"
        for name, content in found.items()
        for text, where in wanted.items()
        if text.encode() in content
    ]


def missing(wanted: dict[str, str], found: dict[str, bytes]) -> list[str]:
    """Say which of some texts stand nowhere."""
    return [
        f"{where}: {text}"
        for text, where in wanted.items()
        if not any(text.encode() in content for content in found.values())
    ]

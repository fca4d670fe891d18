"""Names that announce a secret: of variables, hyperparameters, tags and options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

_HINT = re.compile(r"secret|token|passw|pwd|credential|key", re.IGNORECASE)
_CAMEL_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]")
_ACRONYM_WORD = re.compile(r"[A-Z]{2,}|[A-Z]?[a-z]+|[A-Z]")
_SECRET_ENDINGS = ("secret", "token", "password", "passwd", "pwd")
_SECRET_WORDS = frozenset((*_SECRET_ENDINGS, "credential", "credentials"))
_KEY_OWNERS = ("api", "access", "private", "secret", "signing")
_ONE_WORD_KEYS = frozenset(owner + "key" for owner in _KEY_OWNERS)


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Say whether a name announces a secret.

    Parameters
    ----------
    name
        Of a variable, a hyperparameter, a tag or an option.

    Returns
    -------
    bool
        True if one of its words (parted by camel case or by anything that is no letter) is
        secret, token, password, passwd, pwd or credential(s), or is key right after api, access,
        private, secret or signing. Of a word in capitals (PGPASSWORD) the end is enough.
    """
    return _HINT.search(name) is not None and any(
        _announces_secret(pattern.findall(name)) for pattern in (_CAMEL_WORD, _ACRONYM_WORD)
    )


def _announces_secret(written: Sequence[str]) -> bool:
    if any(word.isupper() and word.lower().endswith(_SECRET_ENDINGS) for word in written):
        return True
    words = [word.lower() for word in written]
    if any(word in _SECRET_WORDS or word in _ONE_WORD_KEYS for word in words):
        return True
    return any(last == "key" and first in _KEY_OWNERS for first, last in pairwise(words))

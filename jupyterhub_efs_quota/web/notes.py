"""What was done, said once on the page that comes after a form: kept for a while, in memory."""

from __future__ import annotations

import secrets
from collections import OrderedDict

_MOST = 1000


class Notes:
    """Sentences, each for who caused it alone."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def keep(self, text: str, owner: str) -> str:
        """Keep a sentence; the key by which its owner finds it."""
        key = secrets.token_urlsafe(12)
        self._kept[key] = (owner, text)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return key

    def find(self, key: str, owner: str) -> str | None:
        """The sentence of a key; None if there is none, or it is for somebody else."""
        kept = self._kept.get(key)
        return kept[1] if kept is not None and kept[0] == owner else None

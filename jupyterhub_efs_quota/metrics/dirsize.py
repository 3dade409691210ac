"""One series for each home, as exporters of directory sizes have them: `dirsize_…`.

Dashboards that were made for those work unchanged. Written as text by hand, since a library
takes longer for 10,000 homes than a scrape should.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..board import Row
from ..directories import Directories, Directory
from ..errors import SettingsError
from ..quota.record import Record
from ..settings import EFSQuota
from .trees import KnownTrees

FAMILIES = {
    "dirsize_total_size_bytes": "What the home holds",
    "dirsize_hard_limit_bytes": "What the home may hold",
    "dirsize_entries_count": "Files and folders in the home, with itself",
    "dirsize_latest_mtime": "When the newest file was modified, in Unix seconds",
    "dirsize_oldest_mtime": "When the oldest file was modified, in Unix seconds",
    "dirsize_last_updated_ns": "When the home was measured, in Unix seconds",
}
SHORTEST_KEY = 16
_LONGEST_KEY = 4096
_MOST_KEPT = 200_000


class Dirsize:
    """Renders the series. With a `key`, homes have pseudonyms in place of their names."""

    def __init__(
        self, directories: Directories, trees: KnownTrees, key: bytes | None = None
    ) -> None:
        self._directories = directories
        self._trees = trees
        self._key = key
        self._labels: dict[str, str] = {}

    def render(self, rows: Sequence[Row]) -> str:
        """The text of all series, in Prometheus' own format."""
        families = tuple(
            [f"# HELP {n} {text}", f"# TYPE {n} gauge"] for n, text in FAMILIES.items()
        )
        size, limit, entries, latest, oldest, updated = (family.append for family in families)
        for label, user, record in self._homes(rows):
            size(f"dirsize_total_size_bytes{label} {record.actual_bytes}")
            if record.quota_enabled:
                limit(f"dirsize_hard_limit_bytes{label} {record.quota_bytes}")
            if record.usage_files is not None:
                count = record.usage_files + (self._trees.dirs(user) or 0)
                entries(f"dirsize_entries_count{label} {count}")
            ages = self._trees.ages(user)
            if ages is not None:
                latest(f"dirsize_latest_mtime{label} {ages.newest}")
                oldest(f"dirsize_oldest_mtime{label} {ages.oldest}")
            if record.stopped is not None:
                updated(f"dirsize_last_updated_ns{label} {record.stopped.timestamp()}")
        return "".join("\n".join(family) + "\n" for family in families)

    def _homes(self, rows: Sequence[Row]) -> Iterator[tuple[str, str, Record]]:
        """The label, the user and the record of each home that was measured, each once."""
        homes: dict[Directory, tuple[str, Record]] = {}
        for row in rows:
            home = self._directories.of(row)
            if home is not None and row.record is not None and row.record.measured:
                homes.setdefault(home, (row.user.name, row.record))
        counts = Counter(home.name for home in homes)
        for home, (user, record) in homes.items():
            # The name on disk; for homes that share it, their path below the home root.
            name = home.name if counts[home.name] == 1 else home.below_root
            yield self._label(name), user, record

    def _label(self, name: str) -> str:
        label = self._labels.get(name)
        if label is None:
            if len(self._labels) >= _MOST_KEPT:
                self._labels.clear()
            shown = pseudonym(self._key, name) if self._key is not None else escaped(name)
            label = self._labels[name] = f'{{directory="{shown}"}}'
        return label


def make_dirsize(settings: EFSQuota, trees: KnownTrees) -> Dirsize | None:
    """The series of single homes, if the settings want them. Raises SettingsError for the key."""
    if settings.user_metrics == "off":
        return None
    key = None
    if settings.user_metrics == "pseudonyms":
        key = read_key(settings.metrics_key_file)
    return Dirsize(Directories(settings.homes()), trees, key)


def pseudonym(key: bytes, name: str) -> str:
    """A code for a name, which nobody can make without the key."""
    return hmac.new(key, name.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()[:16]


def escaped(name: str) -> str:
    """A name as the value of a label; what is no text stays readable."""
    text = name.encode(errors="backslashreplace").decode()
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def read_key(path: str) -> bytes:
    """The secret in a file. Raises SettingsError if there is none that is worth the name."""
    try:
        with Path(path).open("rb") as file:
            key = file.read(_LONGEST_KEY)
    except OSError as error:
        raise SettingsError(
            f"c.EFSQuota.metrics_key_file: {path} cannot be read: {error.strerror}."
            f" Make it: head -c 32 /dev/urandom > {path}; chmod 600 {path}"
        ) from None
    if len(key) < SHORTEST_KEY:
        raise SettingsError(
            f"c.EFSQuota.metrics_key_file: {path} has {len(key)} bytes, and must have"
            f" {SHORTEST_KEY} or more, so that nobody can guess it."
        )
    return key

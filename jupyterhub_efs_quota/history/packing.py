"""A summary as the history stores it. Pure."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, replace

from ..quota.summary import Summary, load_summary

# Before it is compressed. An ordinary one has 50 kB; the longest possible paths would make 12 MB.
MOST_SUMMARY_BYTES = 1_000_000


def pack(found: Summary) -> bytes:
    """A summary as it is stored: JSON, compressed.

    Of one whose names are so long that reading it would take its time, the lighter half of
    all that is listed is left out until it is short enough.
    """
    text = json.dumps(asdict(found), separators=(",", ":")).encode()
    while len(text) > MOST_SUMMARY_BYTES and len(found.folders) > 1:
        found = _half(found)
        text = json.dumps(asdict(found), separators=(",", ":")).encode()
    return zlib.compress(text, 1)


def unpack(data: bytes) -> Summary:
    """The summary in what `pack` made."""
    return load_summary(json.loads(zlib.decompress(data)))


def _half(found: Summary) -> Summary:
    return replace(
        found,
        folders=found.folders[: len(found.folders) // 2],
        largest=found.largest[: len(found.largest) // 2],
        junk_places=found.junk_places[: len(found.junk_places) // 2],
    )

"""What a summary sorts by: types of files, bands of age, kinds of junk, and how much it keeps.

Plain data that travels to a worker process within a task. Both engines go by it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OTHER = "other"
DAY_SECS = 86400
# Longer ones are no extensions but names with a dot in them.
LONGEST_EXTENSION = 15
# What the compiled walk has room for.
MOST_TYPES, MOST_AGES, MOST_KINDS = 63, 15, 63

TYPES: Mapping[str, Sequence[str]] = {
    "notebooks": ("ipynb",),
    "code": (
        *("c", "cc", "cpp", "css", "f90", "go", "h", "hpp", "html", "java", "jl", "js", "m"),
        *("md", "py", "r", "rmd", "rs", "rst", "sh", "so", "sql", "ts", "pyc", "pyi"),
    ),
    "tables": (
        *("arrow", "csv", "db", "dta", "feather", "json", "jsonl", "orc", "parquet", "rds"),
        *("rdata", "sav", "sqlite", "sqlite3", "tsv", "txt", "xls", "xlsx", "xml", "yaml", "yml"),
    ),
    "arrays": (
        *("fits", "grib", "grib2", "h5", "hdf", "hdf5", "mat", "nc", "nii", "npy", "npz"),
        *("root", "zarr", "asdf"),
    ),
    "models": (
        *("bin", "ckpt", "gguf", "joblib", "keras", "onnx", "pb", "pickle", "pkl", "pt", "pth"),
        "safetensors",
    ),
    "sequences": ("bam", "bcf", "bed", "cram", "fa", "fasta", "fastq", "fq", "gff", "sam", "vcf"),
    "pictures": ("bmp", "dcm", "gif", "jpeg", "jpg", "png", "svg", "tif", "tiff", "webp"),
    "sound and film": ("avi", "flac", "m4a", "mkv", "mov", "mp3", "mp4", "wav", "webm"),
    "documents": ("doc", "docx", "odt", "pdf", "ppt", "pptx", "ps", "tex"),
    "archives": ("7z", "bz2", "conda", "gz", "rar", "tar", "tgz", "whl", "xz", "zip", "zst"),
    "disk images": ("img", "iso", "qcow2", "sif", "vmdk"),
    "logs": ("err", "log", "out"),
}

JUNK: Mapping[str, Sequence[str]] = {
    "trash": ("/.local/share/Trash/", ".Trash-*/"),
    "caches": ("/.cache/",),
    "packages to install from": (
        *("/.conda/pkgs/", "/anaconda3/pkgs/", "/mambaforge/pkgs/", "/micromamba/pkgs/"),
        *("/miniconda3/pkgs/", "/miniforge3/pkgs/", "/.npm/_cacache/", "/.cargo/registry/cache/"),
    ),
    "notebook checkpoints": (".ipynb_checkpoints/",),
    "compiled Python": ("__pycache__/",),
    # Of a process's number, and nothing else: manuals have a core.5.gz.
    "core dumps": tuple("core." + "[0-9]" * digits for digits in range(2, 8)),
}

AGES_DAYS = (7, 30, 90, 180, 365, 730, 1825)


@dataclass(frozen=True)
class Rules:
    """How a home is summed up.

    `types` sorts files by the last extension of their name, in lower case and without its
    dot; what has no type there is `other`. `junk` holds patterns: one that ends in `/`
    names folders, another files; one with a further `/` is a path from the home, another a
    name at any depth. `ages_days` are the upper ends of the bands, counted back from `now`
    (Unix time). `folders`, `largest` and `places` say how many of each are kept.
    """

    now: int
    types: tuple[tuple[str, tuple[str, ...]], ...] = tuple(
        (name, tuple(extensions)) for name, extensions in TYPES.items()
    )
    junk: tuple[tuple[str, tuple[str, ...]], ...] = tuple(
        (kind, tuple(patterns)) for kind, patterns in JUNK.items()
    )
    ages_days: tuple[int, ...] = AGES_DAYS
    folders: int = 300
    largest: int = 100
    places: int = 100

    @property
    def type_names(self) -> tuple[str, ...]:
        """The types in their order, `other` last."""
        return (*(name for name, _ in self.types), OTHER)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of junk in their order."""
        return tuple(kind for kind, _ in self.junk)

    @property
    def extensions(self) -> dict[bytes, int]:
        """The number of the type of each extension."""
        return {
            os.fsencode(extension.lower()): number
            for number, (_, extensions) in enumerate(self.types)
            for extension in extensions
        }

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """What is junk, in the order in which it is asked for."""
        return tuple(
            parse_pattern(text, kind)
            for kind, (_, patterns) in enumerate(self.junk)
            for text in patterns
        )

    @property
    def band_ends(self) -> tuple[int, ...]:
        """A time (Unix) later than `band_ends[i]` is in band i or one before it."""
        return tuple(self.now - days * DAY_SECS for days in self.ages_days)


@dataclass(frozen=True)
class Pattern:
    """A pattern of junk: of a kind (its number), for folders or for files.

    `parts` match the names of a path from the home if `from_home`, else the one name.
    """

    kind: int
    folder: bool
    from_home: bool
    parts: tuple[bytes, ...]


def parse_pattern(text: str, kind: int = 0) -> Pattern:
    """A pattern of `Rules.junk`. Raises ValueError if it names nothing."""
    names = text.strip("/").split("/")
    if "" in names or "." in names or ".." in names or "\0" in text:
        raise ValueError(f"{text!r} is no pattern for names: write for example '/.cache/'")
    return Pattern(
        kind=kind,
        folder=text.endswith("/"),
        from_home=text.startswith("/") or len(names) > 1,
        parts=tuple(os.fsencode(name) for name in names),
    )


def load_rules(values: dict[str, Any]) -> Rules:
    """The rules in what `dataclasses.asdict` and JSON made of some."""
    return Rules(
        **{
            **values,
            "types": tuple((name, tuple(group)) for name, group in values["types"]),
            "junk": tuple((kind, tuple(group)) for kind, group in values["junk"]),
            "ages_days": tuple(values["ages_days"]),
        }
    )

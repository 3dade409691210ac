"""Whether homes can be summed up by what a site has set: types, junk, ages.

Called by the settings; each check gives back what it was given, or says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .rules import (
    LONGEST_EXTENSION,
    MOST_AGES,
    MOST_KINDS,
    MOST_TYPES,
    OTHER,
    parse_pattern,
)

# Further back than any file.
MOST_DAYS = 100_000


def checked_types(types: dict[str, list[str]]) -> dict[str, list[str]]:
    """The types given, if files can be sorted by them. Raises ValueError."""
    _check_names(types, MOST_TYPES, "types of files")
    if OTHER in types:
        raise ValueError(f"{OTHER!r} is what has no type: choose another name")
    met: dict[str, str] = {}
    for name, extensions in types.items():
        for extension in extensions:
            _check_extension(extension, name)
            if extension in met:
                raise ValueError(
                    f"the extension {extension!r} stands under {met[extension]!r} and under"
                    f" {name!r}: leave it in one of them"
                )
            met[extension] = name
    return types


def _check_extension(extension: str, name: str) -> None:
    wanted = extension.lower().rpartition(".")[2]
    possible = extension.isascii() and extension.isprintable() and len(extension) > 0
    if not possible or set(extension) & {"/", " "}:
        raise ValueError(f"{extension!r} of {name!r} is no extension: write for example 'csv'")
    if extension != wanted:
        raise ValueError(
            f"the extension {extension!r} of {name!r} must be in lower case and without a dot"
            f" (the last extension counts): write {wanted!r}"
        )
    if len(extension) > LONGEST_EXTENSION:
        raise ValueError(
            f"the extension {extension!r} of {name!r} is too long: at most"
            f" {LONGEST_EXTENSION} characters"
        )


def checked_junk(junk: dict[str, list[str]]) -> dict[str, list[str]]:
    """The kinds of junk given, if their patterns name something. Raises ValueError."""
    _check_names(junk, MOST_KINDS, "kinds of junk")
    for kind, patterns in junk.items():
        for pattern in patterns:
            try:
                parse_pattern(pattern)
            except ValueError as error:
                raise ValueError(f"{kind!r}: {error}") from None
    return junk


def checked_ages(days: list[int]) -> list[int]:
    """The ages given, if bands can lie between them. Raises ValueError."""
    if len(days) > MOST_AGES:
        raise ValueError(f"{len(days)} ages are too many: at most {MOST_AGES}")
    for before, age in zip([0, *days], days, strict=False):
        if not before < age <= MOST_DAYS:
            raise ValueError(
                f"{days!r} does not rise at {age!r}: write whole days above 0, each more than"
                " the one before it, such as [30, 365]"
            )
    return days


def _check_names(named: Mapping[str, Sequence[str]], most: int, what: str) -> None:
    if len(named) > most:
        raise ValueError(f"{len(named)} {what} are too many: at most {most}")
    for name in named:
        if not name.strip() or not name.isprintable():
            raise ValueError(f"{name!r} is no name that can be shown: write a word")

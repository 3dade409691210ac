"""Where a user's home and control files are: names become directories here.

Used by the loops, the hook and the control files.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import string
from collections.abc import Callable
from pathlib import Path

from .errors import HomeError, SettingsError

_SAFE = frozenset(string.ascii_letters + string.digits)
Mapping = str | Callable[[str], str | os.PathLike[str]]


def escape(user: str) -> str:
    """A user name as a directory's name: `homer@stsci.edu` -> `homer-40stsci-2eedu`.

    Everything but ASCII letters and digits becomes `-` and two digits of lower-case hex
    for each byte of its UTF-8. (The escapism package writes upper-case digits, which
    would miss the folders that sites already have.)
    """
    if user.isascii() and user.isalnum():
        return user
    return "".join(
        character
        if character in _SAFE
        else "".join(f"-{byte:02x}" for byte in character.encode(errors="surrogatepass"))
        for character in user
    )


def slug(user: str) -> str:
    """A user name as KubeSpawner 7 makes it safe: `Alice` -> `alice---3bc51062`.

    The rules are those of its `{username}`: a name that is a DNS label of up to 48
    characters stays, all others are shortened to 37, with 8 digits of their SHA-256.
    """
    if "--" not in user and re.fullmatch(r"[a-z]([a-z0-9-]{0,46}[a-z0-9])?", user):
        return user
    room = 48 - len("---") - 8
    safe = re.sub(r"[^a-z0-9]+", "-", user.lower()).lstrip("-")[:room].rstrip("-")
    if safe and not ("a" <= safe[0] <= "z"):
        safe = "x-" + safe[: room - 2]
    digest = hashlib.sha256(user.encode(errors="surrogatepass")).hexdigest()
    return f"{safe or 'x'}---{digest[:8]}"


class Homes:
    """The home mapping: user -> directory, always below the home root.

    `home_path` is a template or a callable from the user's name to a path; the
    template may name {home_root}, {username}, {escaped_username} and {slug_username}.
    """

    def __init__(self, home_root: Path | str, home_path: Mapping) -> None:
        self.home_root = Path(home_root)
        self._home_path = home_path
        if not callable(home_path):
            check_template(home_path)

    def named(self, user: str) -> Path:
        """The home that the mapping gives a user, by names alone: nothing is looked up.

        Raises HomeError where it is not below the home root.
        """
        if callable(self._home_path):
            try:
                home = Path(self._home_path(user))
            except Exception as error:  # whatever the site's own function raises
                raise HomeError(
                    f"home_path fails for user {user!r}: {type(error).__name__}: {error}"
                ) from error
        else:
            home = Path(
                self._home_path.format(
                    home_root=self.home_root,
                    username=user,
                    escaped_username=escape(user),
                    slug_username=slug(user),
                )
            )
        return self.below_root(user, home)

    def below_root(self, user: str, home: Path) -> Path:
        """The path given, if its name lies below the home root. Raises HomeError."""
        if (
            "\0" in str(home)
            or ".." in home.parts
            or not home.is_relative_to(self.home_root)
            or home == self.home_root
        ):
            raise HomeError(
                f"The home of user {user!r} would be {str(home)!r}, which is not below"
                f" {self.home_root}: check home_path."
            )
        return home

    def of(self, user: str, known: str | None = None) -> Path:
        """The home to measure: what the spawner told us (`known`), else the mapping's.

        What was told of another time or machine is not below the root or not there: then
        the mapping knows better. Raises HomeError.
        """
        if known:
            with contextlib.suppress(HomeError):
                home = self.below_root(user, Path(known))
                if home.exists():
                    return home
        return self.named(user)

    def resolve(self, user: str, home: Path) -> Path:
        """The home with symbolic links resolved, still below the home root.

        Raises HomeError, or FileNotFoundError for a home that is missing.
        """
        try:
            root, resolved = self.home_root.resolve(strict=True), home.resolve(strict=True)
        except FileNotFoundError:
            raise
        except (OSError, RuntimeError) as error:
            raise HomeError(f"The home {home} of user {user!r} cannot be used: {error}") from None
        if resolved == root or not resolved.is_relative_to(root):
            raise HomeError(
                f"The home {home} of user {user!r} leads to {resolved}, outside {root}:"
                " it is not measured."
            )
        if not resolved.is_dir():
            raise HomeError(f"The home {home} of user {user!r} is not a directory.")
        return resolved


def check_template(home_path: str) -> None:
    """Raise SettingsError unless the template can give different users different homes."""
    names = {"home_root": "r", "username": "", "escaped_username": "", "slug_username": ""}
    try:
        homes = {
            home_path.format(**{**dict.fromkeys(names, user), "home_root": "r"})
            for user in ("a", "b")
        }
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"home_path: {home_path!r} is no template ({error}): it may name"
            " {home_root}, {username}, {escaped_username} and {slug_username}."
        ) from None
    if len(homes) == 1:
        raise SettingsError(
            f"home_path: {home_path!r} gives every user the same home: name {{escaped_username}},"
            " {username} or {slug_username} in it."
        )

"""Reads the settings from a configuration, and a configuration from a file."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from traitlets import TraitError
from traitlets.config import Config
from traitlets.config.loader import (
    ConfigFileNotFound,
    DeferredConfig,
    LazyConfigValue,
    PyFileConfigLoader,
)

from ..errors import SettingsError
from .efs_quota import EFSQuota
from .together import check_together


def resolve(config: Config) -> EFSQuota:
    """The settings in a configuration, and in the file that its `config_file` names.

    What the configuration says itself goes before the file. Raises SettingsError,
    naming the setting, for one that does not exist or has a bad value.
    """
    section = section_of(config)
    path = section.get("config_file")
    if isinstance(path, (str, Path)) and str(path):
        section = {**section_of(read_file(str(path))), **section}
    settings = EFSQuota()
    for name, value in section.items():
        _assign(settings, name, value)
    check_together(settings)
    return settings


def read_file(path: str) -> Config:
    """A configuration file in Python. Raises SettingsError if it is missing or fails."""
    try:
        config: Config = PyFileConfigLoader(str(Path(path).absolute())).load_config()
        return config
    except ConfigFileNotFound:
        raise SettingsError(f"The configuration file {path} does not exist.") from None
    except Exception as error:  # whatever the site's own code raises
        raise SettingsError(
            f"The configuration file {path} fails: {type(error).__name__}: {error}"
        ) from error


def section_of(config: Config) -> dict[str, Any]:
    """What a configuration itself says of our settings."""
    return dict(config.EFSQuota) if "EFSQuota" in config else {}


def _assign(settings: EFSQuota, name: str, value: Any) -> None:
    trait = settings.traits(config=True).get(name)
    if trait is None:
        close = difflib.get_close_matches(name, settings.traits(config=True), n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise SettingsError(f"c.EFSQuota.{name} is no setting.{hint}")
    try:
        if isinstance(value, Path):
            value = str(value)
        elif isinstance(value, LazyConfigValue):
            value = value.get_value(getattr(settings, name))
        elif isinstance(value, DeferredConfig):
            value = value.get_value(trait)
        setattr(settings, name, value)
    except (TraitError, ValueError) as error:
        raise SettingsError(f"c.EFSQuota.{name} = {value!r}: {error}") from None

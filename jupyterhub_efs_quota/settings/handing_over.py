"""How `setup(c)` in the hub hands the settings to the service that the hub starts."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from typing import Any

from traitlets.config import Config

from ..errors import SettingsError
from .reading import resolve, section_of

# The variable in the service's environment.
HANDED_OVER = "JUPYTERHUB_EFS_QUOTA_SETTINGS"
# One environment variable may hold 128 KiB.
_MOST_HANDED_OVER = 120 * 1024


def hand_over(config: Config) -> str:
    """The settings as text for the service's environment. Raises SettingsError.

    Only what the configuration itself says: the service reads `config_file` too.
    """
    settings = resolve(config)
    section = {name: getattr(settings, name) for name in section_of(config)}
    if callable(section.get("home_path")):
        section["home_path"] = _importable("home_path", section["home_path"])
    text = json.dumps(section)
    if len(text.encode()) > _MOST_HANDED_OVER:
        longest = max(section, key=lambda name: len(json.dumps(section[name])))
        raise SettingsError(
            f"c.EFSQuota.{longest} is too long to hand to the service:"
            " move it into a file and name that in c.EFSQuota.config_file."
        )
    return text


def handed_over(environment: Mapping[str, str]) -> Config:
    """The settings that `hand_over` put into an environment. Raises SettingsError."""
    try:
        section = json.loads(environment.get(HANDED_OVER, "{}"))
        return Config({"EFSQuota": dict(section)})
    except (ValueError, TypeError):
        raise SettingsError(f"The variable {HANDED_OVER} is damaged: restart the hub.") from None


def _importable(name: str, function: Any) -> str:
    module = getattr(function, "__module__", None)
    qualified = getattr(function, "__qualname__", "")
    try:
        found = importlib.import_module(module or "")
        for part in qualified.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError, TypeError):
        found = None
    if found is not function or "." in qualified or module == "__main__":
        raise SettingsError(
            f"c.EFSQuota.{name}: the service runs in another process and cannot import this"
            " function. Put it into a module, or into a file that c.EFSQuota.config_file names."
        )
    return f"{module}:{qualified}"

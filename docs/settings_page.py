"""Writes docs/reference/settings.md from the settings themselves: `python docs/settings_page.py`.

tests/unit/test_docs.py fails when the page is not what this makes of the settings.
"""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path
from typing import Any

from traitlets import TraitType

from jupyterhub_efs_quota.settings import EFSQuota

PAGE = Path(__file__).parent / "reference" / "settings.md"

INTRODUCTION = """\
# Settings

All settings are attributes of `c.EFSQuota`. Set them in `jupyterhub_config.py` before
`setup(c)`, or give them to it by name:

```python
c.EFSQuota.default_quota = "10Gi"
setup(c, home_root="/home")
```

`setup(c)` hands them to the service, so they are given once. The commands read them from
a file (`--config`) and take any of them as a flag: `--EFSQuota.default_quota=10Gi`. A
setting that does not exist, or a value that makes no sense, is an error at the start
which names the setting.

`jupyterhub-efs-quota --generate-config` writes a file with all of them, commented out.

Sizes are `10Gi`, `500M`, `1.5T` or a number of bytes. Units are powers of 1024: `G`,
`Gi`, `GB` and `GiB` are the same.
"""

# Each heading stands above the setting that it names, and holds for those that follow.
HEADINGS = {
    "quota_control": "Where things are",
    "default_quota": "Who may hold how much",
    "monitor_period_secs": "When and how homes are measured",
    "on_lockout": "What happens at a spawn",
    "history_url": "The history",
    "metrics_port": "What others read",
    "activity_checks": "Jobs, StatsD and mails",
    "service_name": "The service",
}

KINDS = {
    "Bool": "`True` or `False`",
    "Float": "a number of seconds",
    "HomeMapping": "a template, a callable, or its name as `module:function`",
    "Int": "a whole number",
    "Seconds": "a number of seconds, above 0",
    "Size": "a size",
    "Times": "a number, 1.5 or more, or 0",
    "Unicode": "text",
}

LISTED = {"Int": "whole numbers", "Unicode": "names"}


def settings() -> dict[str, TraitType[Any, Any]]:
    """All settings, subject by subject, in the order in which they are defined."""
    traits = EFSQuota.class_traits(config=True)
    subjects = EFSQuota.__mro__
    return {name: traits[name] for each in subjects for name in vars(each) if name in traits}


def kind(trait: TraitType[Any, Any]) -> str:
    """What may be assigned, in words."""
    name = type(trait).__name__
    if name == "Enum":
        *most, last = (f'`"{value}"`' for value in trait.values)  # type: ignore[attr-defined]
        return f"{', '.join(most)} or {last}" if most else last
    if name == "List":
        return f"a list of {LISTED[type(trait._trait).__name__]}"  # type: ignore[attr-defined]  # noqa: SLF001
    if name == "Dict":
        values = trait._value_trait  # type: ignore[attr-defined]  # noqa: SLF001
        return f"a dictionary, name to {kind(values)}" if values is not None else "a dictionary"
    return KINDS[name]


def default(value: object) -> str:
    """What a default is, as a sentence; a long dictionary stands below it."""
    if not isinstance(value, dict) or not value:
        return f"Default: `{literal(value)}`\n"
    rows = (f"    {literal(name)}: {literal(item)},\n" for name, item in value.items())
    lines = "".join(line for row in rows for line in wrapped(row))
    return f"Default:\n\n```text\n{{\n{lines}}}\n```\n"


def wrapped(row: str) -> list[str]:
    """A row of a dictionary in lines of up to 92 characters."""
    lines = textwrap.wrap(row, 92, subsequent_indent=" " * 8, break_long_words=False)
    return [f"{line}\n" for line in lines]


def literal(value: object) -> str:
    """A default, as one would write it in a configuration file."""
    if isinstance(value, list):
        return f"[{', '.join(literal(item) for item in value)}]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def render() -> str:
    """The text of the page."""
    parts = [INTRODUCTION]
    for name, trait in settings().items():
        if name in HEADINGS:
            parts.append(f"## {HEADINGS[name]}\n")
        parts.append(f"### `{name}`\n")
        parts.append(f"{inspect.cleandoc(str(trait.help))}\n")
        parts.append(f"Takes {kind(trait)}. {default(trait.default())}")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(render())

"""`c.EFSQuota`: all subjects in the one section that users know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from traitlets import HasTraits, TraitType
from traitlets.config import Configurable

from .subjects.activity import ActivitySettings
from .subjects.freeing import FreeingSettings
from .subjects.history import HistorySettings
from .subjects.mail import MailSettings
from .subjects.measuring import MeasureSettings
from .subjects.metrics import MetricsSettings
from .subjects.openondemand import OpenOnDemandSettings
from .subjects.places import PlaceSettings
from .subjects.quotas import QuotaSettings
from .subjects.rescue import RescueSettings
from .subjects.scans import ScanSettings
from .subjects.service import ServiceSettings
from .subjects.spawn import SpawnSettings
from .subjects.summary import SummarySettings


class EFSQuota(
    PlaceSettings,
    QuotaSettings,
    MeasureSettings,
    ScanSettings,
    SummarySettings,
    FreeingSettings,
    RescueSettings,
    SpawnSettings,
    MetricsSettings,
    OpenOnDemandSettings,
    HistorySettings,
    ActivitySettings,
    MailSettings,
    ServiceSettings,
    Configurable,
):
    """Storage quotas for JupyterHub homes."""

    # The subjects are no sections: to traitlets, and so to `--help-all` and
    # `--generate-config`, all settings are of this class.

    @classmethod
    def class_own_traits(cls, **metadata: Any) -> dict[str, TraitType[Any, Any]]:
        """All settings."""
        return cls.class_traits(**metadata)

    @classmethod
    def class_get_help(cls, inst: HasTraits | None = None) -> str:
        """What `--help-all` says: without the names of the subjects in the heading."""
        _, _, settings = super().class_get_help(inst).split("\n", 2)
        heading = f"{cls.__name__}({Configurable.__name__}) options"
        return "\n".join([heading, "-" * len(heading), settings])

    def limbo_place(self) -> Path:
        """The directory of limbo."""
        return Path(self.limbo) if self.limbo else Path(self.home_root) / ".efs-quota-limbo"

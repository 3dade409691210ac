"""What settings must be next to each other. Called by `reading.resolve`."""

from __future__ import annotations

from ..errors import SettingsError
from ..measure.meters import METERS
from .efs_quota import EFSQuota


def check_together(settings: EFSQuota) -> None:
    """Raise SettingsError for settings that cannot be at the same time."""
    _check_meter(settings)
    _check_rescue(settings)
    _check_pseudonyms(settings)


def _check_meter(settings: EFSQuota) -> None:
    meter, facts = settings.meter, METERS[settings.meter]
    limits = settings.limits()
    if not facts.files and (limits.default_files or limits.group_files or limits.user_files):
        raise SettingsError(
            f"c.EFSQuota.meter = {meter!r} counts no files: limits on files need meter = 'walk'."
        )
    amiss = facts.amiss(
        settings.size_basis,
        cross_mounts=settings.cross_mounts,
        skip=settings.skip_directories,
    )
    if amiss is not None:
        raise SettingsError(
            f"c.EFSQuota.meter = {meter!r} cannot be: {amiss}. Change one of them, or set"
            " meter = 'walk'."
        )


def _check_rescue(settings: EFSQuota) -> None:
    if settings.on_lockout != "rescue":
        return
    if not settings.rescue_directory:
        raise SettingsError("c.EFSQuota.rescue_directory must be a directory, such as '/tmp'.")
    if settings.rescue_measure_secs > settings.rescue_secs:
        raise SettingsError(
            f"c.EFSQuota.rescue_measure_secs = {settings.rescue_measure_secs:g} is longer than a"
            f" rescue (rescue_secs = {settings.rescue_secs:g}): nobody would see a home grow."
        )


def _check_pseudonyms(settings: EFSQuota) -> None:
    if settings.user_metrics == "pseudonyms" and not settings.metrics_key_file:
        raise SettingsError(
            "c.EFSQuota.user_metrics = 'pseudonyms' needs c.EFSQuota.metrics_key_file:"
            " a file with a secret. Make one: head -c 32 /dev/urandom > FILE; chmod 600 FILE"
        )

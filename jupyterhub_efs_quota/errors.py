"""The exceptions of this package.

EFSQuotaError
 ├── SettingsError          a setting is wrong, or a name is taken
 ├── ControlError           about the control files
 │    ├── StoreError        the control directory cannot be read or written
 │    ├── BrokenFile        a control file that makes no sense; it is left as it is
 │    └── LockHeld          somebody else is at work on this user
 ├── HomeError              a home that is outside the home root, or no directory
 ├── FreeingError           something in a home is not listed, moved or deleted
 │    ├── NotThere          it is not there any more
 │    ├── NoLimbo           it cannot be put aside, only deleted for good
 │    └── Busy              another errand of this user goes on
 ├── MeasureError           a measurement brought no answer
 ├── WishError              somebody asks for what makes no sense
 ├── CannotChange           a quota cannot be changed as things stand
 ├── HistoryError           the history database cannot be used now
 │    ├── CannotCount       a file system's own counter cannot tell about this home
 │    └── ScanError         a scan cannot be read, or does not say what is asked
 ├── BadRun                 a run of a job that cannot be, or a name that no job has
 ├── NotifyError            a mail cannot be sent
 ├── HubError               the hub refuses us or talks nonsense
 │    └── HubUnreachable    the hub does not answer at all
 └── ServiceError           our own service refuses a command that asks it
      └── ServiceUnreachable    it does not answer at all

A message says what is wrong, where, and what to do.
"""

from __future__ import annotations


class EFSQuotaError(Exception):
    """Any error that this package raises on purpose."""


class SettingsError(EFSQuotaError):
    """A setting is wrong: the message names it and says what is allowed."""


class ControlError(EFSQuotaError):
    """Something is wrong with the control files."""


class StoreError(ControlError):
    """The control directory cannot be read or written."""


class BrokenFile(ControlError):
    """A control file cannot be parsed. It is never overwritten and unlocks nobody."""


class LockHeld(ControlError):
    """Another process holds the lock of this user."""


class HomeError(EFSQuotaError):
    """A user's home is not a directory below the home root."""


class FreeingError(EFSQuotaError):
    """Something in a home cannot be listed, moved or deleted. The message is for its user."""


class NotThere(FreeingError):
    """What was asked for is not there any more: somebody else has moved or deleted it."""


class NoLimbo(FreeingError):
    """It cannot be put aside: no room, another file system. It can be deleted for good."""


class Busy(FreeingError):
    """Another errand of this user goes on."""


class MeasureError(EFSQuotaError):
    """A measurement brought no answer: its worker died or the meter failed."""


class WishError(EFSQuotaError):
    """Somebody asks for what makes no sense, as a quota that ends in the past."""


class CannotChange(EFSQuotaError):
    """A quota cannot be changed as things stand: the message says why."""


class HistoryError(EFSQuotaError):
    """The history database cannot be used now. Enforcement does not need it."""


class CannotCount(MeasureError):
    """A file system's own counter cannot tell about this home: a walk can."""


class ScanError(MeasureError):
    """A scan of a file system cannot be read, or does not say what is asked."""


class HubError(EFSQuotaError):
    """The hub refuses us, or answers something that we don't understand."""


class HubUnreachable(HubError):
    """The hub does not answer: no further request makes sense now."""


class BadRun(EFSQuotaError):
    """A run of a job that cannot be, or a name that no job or host has."""


class NotifyError(EFSQuotaError):
    """A mail cannot be sent: the message says what to look at."""


class ServiceError(EFSQuotaError):
    """The service's API refuses what a command asks; `status` is that of its answer, if any."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ServiceUnreachable(ServiceError):
    """The service's API does not answer."""


OTHER = "other"
HOME_MISSING = "home-missing"
# What metrics call an error, by its class or the nearest one above it.
_KINDS: dict[type[BaseException], str] = {
    SettingsError: "settings",
    StoreError: "store",
    BrokenFile: "broken-file",
    LockHeld: "lock-held",
    FileNotFoundError: HOME_MISSING,
    HomeError: "home",
    FreeingError: "freeing",
    MeasureError: "measure",
    HubUnreachable: "hub-unreachable",
    HubError: "hub",
    OSError: "os",
}
KINDS = (*_KINDS.values(), OTHER)


def kind_of(error: BaseException) -> str:
    """The kind of an error: one of `KINDS`, so that no metric grows with what goes wrong."""
    return next((_KINDS[each] for each in type(error).__mro__ if each in _KINDS), OTHER)

"""The pre-spawn hook: refuses a server to a user in lockout, or lets it start as a rescue.

Runs in the hub for every spawn, so its imports are few and nothing in it blocks the
event loop. For a user who is not locked it reads one file, whatever the number of users.
"""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

from prometheus_client import Counter
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from ..control.store import ControlStore
from ..errors import BrokenFile, EFSQuotaError, SettingsError
from ..measure.workers.workers import Workers
from ..offload import Offload
from ..quota.messages import checked
from ..quota.record import Record, State, replace
from ..quota.rescue import locked
from ..remeasure import Remeasure, utcnow
from ..settings import EFSQuota, resolve
from .environment import put_variables, variables
from .learn import SystemUser, directory, told_by
from .progress import progress_text
from .refusal import refusal
from .rescue import RescueDoor, forget, give_back, words

Hook = Callable[[Any], Awaitable[None]]

# In the hub's own metrics, at /hub/metrics.
DECISIONS = Counter(
    "jupyterhub_efs_quota_spawn_decisions_total",
    "Spawns by what the quota hook decided",
    ["decision"],
)
# Present from the start: a rate over a series that begins at 1 misses the first.
for _decision in (
    *("allowed", "warned", "unlocked", "exempt", "rescue", "refused"),
    *("error-allowed", "error-refused"),
):
    DECISIONS.labels(_decision)
# Reads that may be stuck before the store is taken for dead; verifications at a time.
_READERS = 64
_VERIFIERS = 8
LEARN_SECS = 1.0
VERIFY_MARGIN_SECS = 1.0
REPORT_SECS = 5.0
LOCKED = "You are over your storage quota.  Logins are disabled."


class SpawnGate:
    """Decides about spawns, under the settings. One for the life of the hub."""

    def __init__(self, settings: EFSQuota) -> None:
        self._settings = settings
        self._homes = settings.homes()
        self._foresight = settings.foresight()
        self._store = ControlStore(settings.quota_control)
        self._offload = Offload(_READERS)
        # Of their own, so that a home that hangs keeps nobody's record from being read.
        self._home_calls = Offload(_READERS)
        self._verifiers = asyncio.Semaphore(_VERIFIERS)
        self._reports: set[asyncio.Task[None]] = set()
        terms = settings.rescue_terms()
        self._rescues = None
        if terms is not None:
            self._rescues = RescueDoor(settings, terms, self._store, self._offload, self._ask)

    async def check(self, spawner: Any) -> None:
        """Let the spawn go on, or raise the exception that refuses it."""
        user = spawner.user.name
        tell(spawner, None)
        give_back(spawner)
        self._tell_server(spawner, None)
        try:
            record = await self._offload.run_within(self._settings.hook_timeout, self._read, user)
        except BrokenFile as error:
            # It unlocks nobody: the service still knows what it last read.
            state = None if self._exempt(spawner) else await self._ask_service(spawner)
            if state is State.LOCKOUT:
                self._refuse(spawner, LOCKED, f"{error} The last good record is a lockout.")
            self._on_error(spawner, error)
            return
        except Exception as error:
            self._on_error(spawner, error)
            return
        await self._learn_home(spawner, record)
        self._tell_server(spawner, record)
        await self._usual(spawner, record)
        if record is None or not record.quota_enabled or record.quota_state is State.OK:
            DECISIONS.labels("allowed").inc()
            self._tell_user(spawner, record)
            return
        if record.quota_state is not State.LOCKOUT:
            DECISIONS.labels("warned").inc()
        elif self._exempt(spawner):
            DECISIONS.labels("exempt").inc()
            spawner.log.warning("%s is in lockout and spawns as an administrator", user)
        else:
            record = await self._verified(spawner, record)
            if record.quota_state is State.LOCKOUT and await self._rescued(spawner, record):
                return
            self._tell_server(spawner, record)
            DECISIONS.labels("unlocked").inc()
            await self._usual(spawner, record)
        self._tell_user(spawner, record)

    def _tell_user(self, spawner: Any, record: Record | None) -> None:
        """Say in the progress how the user stands and what is to come. Decides nothing."""
        if record is None:
            return
        try:
            text = progress_text(
                record,
                utcnow(),
                self._foresight,
                always=self._settings.show_on_hub_pages,
                exempt=self._exempt(spawner),
            )
            tell(spawner, text)
        except Exception as error:
            spawner.log.warning("The user is not told of their storage: %s", error)

    async def _usual(self, spawner: Any, record: Record | None) -> None:
        """A server that is no rescue is going to start: forget one that is over."""
        if record is not None and record.rescue_until is not None and not locked(record):
            await forget(spawner, record, self._store, self._offload, self._settings.hook_timeout)

    async def _rescued(self, spawner: Any, record: Record) -> bool:
        """Whether a locked user's server starts as a rescue; False: they are not locked now."""
        message, user = checked(record)[1], record.user
        if self._rescues is None:
            self._refuse(spawner, message, f"{user} is in lockout")
        answer = await self._rescues.open(spawner, record)
        if answer.unlocked:
            return False
        if answer.until is None:
            self._refuse(
                spawner, f"{message}  {answer.why_not}", f"{user} is in lockout, without a rescue"
            )
        DECISIONS.labels("rescue").inc()
        spawner.log.warning("%s is in lockout: a rescue until %s", user, answer.until)
        tell(spawner, words(answer.until))
        return True

    def _tell_server(self, spawner: Any, record: Record | None) -> None:
        """Put the user's figures into the server's environment. Decides nothing."""
        if not self._settings.storage_environment:
            return
        try:
            told = variables(record, utcnow(), self._foresight) if record is not None else {}
            put_variables(spawner, told)
        except Exception as error:
            spawner.log.warning("The server is not told of its storage: %s", error)

    def _exempt(self, spawner: Any) -> bool:
        return bool(spawner.user.admin and self._settings.admins_exempt)

    def _read(self, user: str) -> Record | None:
        record = self._store.read(user)
        if record is None:
            # No file is a new user; no directory is a store that is not mounted.
            self._store.check()
        return record

    async def _learn_home(self, spawner: Any, record: Record | None) -> None:
        """Write where the home is, if the spawner tells another than the mapping.

        Whatever goes wrong here is logged and decides nothing.
        """
        try:
            told = told_by(spawner, self._homes.home_root)
            if told is not None:
                await self._home_calls.run_within(
                    LEARN_SECS, self._learn, spawner.user.name, record, told
                )
        except Exception as error:
            spawner.log.debug("The home stays as the mapping has it: %s", error)

    def _learn(self, user: str, record: Record | None, told: Path | SystemUser) -> None:
        home = directory(told)
        if home is None:
            return
        self._homes.below_root(user, home)
        if str(home) == (record.home if record and record.home else str(self._homes.named(user))):
            return
        with self._store.held(user, create=True) as held:
            held.write(replace(held.read() or Record(user), home=str(home)))

    async def _verified(self, spawner: Any, record: Record) -> Record:
        """The record of a locked user, measured again if that can be done in time."""
        if not self._settings.verify_secs:
            return record
        try:
            # One limit for all of it: waiting for a place, looking here, asking the service.
            return await asyncio.wait_for(
                self._look_again(spawner, record), self._settings.verify_secs + VERIFY_MARGIN_SECS
            )
        except Exception as error:
            spawner.log.warning("The lockout of %s stands unverified: %r", record.user, error)
            return record

    async def _look_again(self, spawner: Any, record: Record) -> Record:
        try:
            async with self._verifiers:
                return await self._verify_here(record, self._settings.verify_secs)
        except (EFSQuotaError, OSError) as error:
            # The hub has no such mount, or may not write: the service has and may.
            spawner.log.debug("The home of %s is not measured from here: %s", record.user, error)
        state = await self._ask_service(spawner)
        return record if state is None else replace(record, quota_state=state)

    async def _verify_here(self, record: Record, budget: float) -> Record:
        workers = Workers(1)
        try:
            remeasure = Remeasure(self._settings, self._store, workers, self._home_calls)
            return await remeasure.verify(record, budget)
        finally:
            await workers.end()

    async def _ask_service(self, spawner: Any) -> State | None:
        """The user's state as the service finds it now, or None if it does not say."""
        service = _service(spawner, self._settings.service_name)
        if service is None:
            return None
        secs = self._settings.verify_secs + VERIFY_MARGIN_SECS
        try:
            answer = await _post(spawner, service, "verify", b"", secs)
            return State(json.loads(answer)["state"])
        except (HTTPClientError, OSError, ValueError, KeyError, TypeError) as error:
            spawner.log.warning("The service cannot verify this lockout: %s", error)
            return None

    async def _ask(self, spawner: Any, what: str, body: bytes, secs: float) -> bytes | None:
        """What the service says to something about the user; None where there is none."""
        service = _service(spawner, self._settings.service_name)
        return None if service is None else await _post(spawner, service, what, body, secs)

    def _report(self, spawner: Any, reason: str) -> None:
        """Have the service put a refusal on record. The refusal does not wait for that."""
        service = _service(spawner, self._settings.service_name)
        if service is not None:
            report = asyncio.create_task(_refused(spawner, service, reason))
            self._reports.add(report)
            report.add_done_callback(self._reports.discard)

    def _refuse(self, spawner: Any, message: str, log_message: str) -> NoReturn:
        DECISIONS.labels("refused").inc()
        self._report(spawner, message)
        page = _page(spawner, self._settings.service_name)
        said = f"<p><strong>Storage quota exceeded.</strong> {html.escape(message)}</p>"
        if page is not None:
            message += f" See {page} for how you stand."
            said += (
                f'<p><a class="btn btn-primary" href="{html.escape(page)}">See your storage</a></p>'
            )
        raise refusal(spawner, message, said, log_message)

    def _on_error(self, spawner: Any, error: Exception) -> None:
        spawner.log.error("The storage quota of %s cannot be checked: %s", spawner.user.name, error)
        if self._settings.on_error == "allow":
            DECISIONS.labels("error-allowed").inc()
            return
        DECISIONS.labels("error-refused").inc()
        message = (
            "Your storage quota cannot be checked now, so no server is started."
            " Try again in a few minutes; if that does not help, tell the administrator."
        )
        self._report(spawner, f"The quota could not be checked: {error}")
        raise refusal(spawner, message, f"<p>{message}</p>", f"quota check failed: {error}")


def make_hook(settings: EFSQuota, site_hook: Any = None) -> Hook:
    """The hook for `c.Spawner.pre_spawn_hook`; the site's own is called after ours.

    A plain function, since traitlets copies what it finds in a configuration, for each
    spawner anew: a function it leaves alone.
    """
    gate = SpawnGate(settings)

    async def pre_spawn_hook(spawner: Any) -> None:
        from jupyterhub.utils import maybe_future

        await gate.check(spawner)
        if site_hook is not None:
            await maybe_future(site_hook(spawner))

    return pre_spawn_hook


async def pre_spawn_hook(spawner: Any) -> None:
    """The hook for who wires by hand: `c.Spawner.pre_spawn_hook = pre_spawn_hook`.

    Takes its settings from `c.EFSQuota` in the hub's configuration.
    """
    # Kept with the hub that it belongs to, and made once.
    kept = spawner.user.settings
    gate = kept.get("efs_quota_gate")
    if gate is None:
        try:
            gate = SpawnGate(resolve(spawner.config))
        except SettingsError as error:
            gate = error
        kept["efs_quota_gate"] = gate
    if isinstance(gate, SettingsError):
        spawner.log.error("Storage quotas are not checked: %s", gate)
        DECISIONS.labels("error-allowed").inc()
        return
    await gate.check(spawner)


def tell(spawner: Any, message: str | None) -> None:
    """Show a message first in the spawn's progress; None: no longer."""
    wrapped = hasattr(spawner, "_efs_quota_told")
    if message is not None and not wrapped:
        spawner._efs_quota_progress = spawner.progress

        async def progress() -> AsyncIterator[Any]:
            if spawner._efs_quota_told is not None:
                yield {"progress": 1, "message": spawner._efs_quota_told}
            async for progress_event in spawner._efs_quota_progress():
                yield progress_event

        spawner.progress = progress
    if message is not None or wrapped:
        spawner._efs_quota_told = message


def _service(spawner: Any, name: str) -> Any:
    app = spawner.user.settings.get("app")
    service = getattr(app, "_service_map", {}).get(name)
    return service if service is not None and service.url and service.api_token else None


async def _refused(spawner: Any, service: Any, reason: str) -> None:
    told = json.dumps({"server": spawner.name, "reason": reason}).encode()
    try:
        await _post(spawner, service, "refused", told, REPORT_SECS)
    except Exception as error:
        spawner.log.warning("The refusal of %s is not put on record: %s", spawner.user.name, error)


async def _post(spawner: Any, service: Any, what: str, body: bytes, secs: float) -> bytes:
    """Tell or ask the service something about the user; its answer."""
    user = quote(spawner.user.name, safe="")
    # Not the client that the hub shares: it has ten places, and the proxy needs them.
    client = AsyncHTTPClient(force_instance=True)
    try:
        response = await client.fetch(
            HTTPRequest(
                f"{service.url.rstrip('/')}{service.prefix}api/users/{user}/{what}",
                method="POST",
                body=body,
                headers={"Authorization": f"token {service.api_token}"},
                request_timeout=secs,
                ssl_options=_internal_tls(spawner),
            )
        )
        return bytes(response.body)
    finally:
        client.close()


def _page(spawner: Any, name: str) -> str | None:
    """The address of the user's page; None where only the loops run, without the pages."""
    service = _service(spawner, name)
    return None if service is None else str(service.href)


def _internal_tls(spawner: Any) -> Any:
    from jupyterhub.utils import make_ssl_context

    app = spawner.user.settings["app"]
    if not app.internal_ssl:
        return None
    return make_ssl_context(app.internal_ssl_key, app.internal_ssl_cert, cafile=app.internal_ssl_ca)

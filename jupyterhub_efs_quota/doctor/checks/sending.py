"""What is told to others: timings to StatsD, mails. Nothing is sent."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import aiosmtplib

from ...settings import EFSQuota
from ..finding import Finding, not_looked_at, ok, warning, wrong
from ..place import ELSEWHERE, Place

_STATSD, _MAIL = "StatsD", "mail"
_SECS = 8.0
# What mail servers listen on, by `smtp_security`.
_PORTS = {"none": 25, "starttls": 587, "tls": 465}
_FOR_OTHERS = stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH


def look(place: Place) -> Iterator[Finding]:
    """Both, as far as the settings want them."""
    if place.settings is None:
        return
    if place.service_elsewhere:
        for what in (_STATSD, _MAIL):
            yield not_looked_at(what, "The service sends, on another machine.", ELSEWHERE)
        return
    yield _statsd(place.settings)
    yield from _mail(place.settings)


def _statsd(settings: EFSQuota) -> Finding:
    host, port = settings.statsd_host, settings.statsd_port
    if not host:
        return ok(_STATSD, "Nothing is sent: statsd_host is empty.")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return wrong(
            _STATSD,
            f"The host {host!r} is not found ({reason}): timings of jobs are lost.",
            'c.EFSQuota.statsd_host = "statsd.example.org"  # the name of one that there is',
        )
    address = found[0][4][0]
    return ok(_STATSD, f"{host} is {address}. Whether one listens at {port}, UDP does not tell.")


def _mail(settings: EFSQuota) -> Iterator[Finding]:
    if not settings.smtp_host:
        yield ok(_MAIL, "None is sent: smtp_host is empty.")
        return
    if not settings.mail_to:
        yield warning(
            _MAIL,
            "smtp_host is set, and mail_to has no address: administrators get no mail.",
            'c.EFSQuota.mail_to = ["admin@example.org"]',
        )
    password = ""
    if settings.smtp_user:
        path = Path(settings.smtp_password_file)
        try:
            password = path.read_text().strip() if settings.smtp_password_file else ""
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            yield wrong(_MAIL, f"{path} cannot be read: {reason}.", f"ls -l {path}")
            return
        if not password:
            yield wrong(
                _MAIL,
                "smtp_user has no password.",
                'c.EFSQuota.smtp_password_file = "/etc/efs-quota/smtp-password"',
            )
            return
        if path.stat().st_mode & _FOR_OTHERS:
            yield warning(_MAIL, f"{path} can be read by others.", f"chmod 0600 {path}")
    yield asyncio.run(_connect(settings, password))


async def _connect(settings: EFSQuota, password: str) -> Finding:
    """Connect and log in, as for a mail, and leave."""
    security, user = settings.smtp_security, settings.smtp_user
    port = settings.smtp_port or _PORTS[security]
    where = f"{settings.smtp_host}, port {port}"
    client = aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=port,
        use_tls=security == "tls",
        start_tls=security == "starttls",
        timeout=_SECS,
    )
    try:
        await client.connect()
        if user:
            await client.login(user, password)
        await client.quit()
    except aiosmtplib.SMTPAuthenticationError as error:
        return wrong(
            _MAIL,
            f"{where} does not take the password of {user} ({error.code}).",
            "Correct smtp_user, or the password in smtp_password_file",
        )
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        said = str(error) or type(error).__name__
        return wrong(_MAIL, f"{where}: {said}", _mend(security, said))
    finally:
        client.close()
    login = f", with the login of {user}" if user else ""
    return ok(_MAIL, f"{where} takes mails{login}.")


def _mend(security: str, said: str) -> str:
    if "STARTTLS" in said.upper():
        return 'c.EFSQuota.smtp_security = "tls"  # or "none", for a server on this machine'
    if "certificate" in said.lower():
        return "Give the server a certificate for its name, and trust its CA on this machine"
    port = _PORTS[security]
    return f"Correct smtp_host and smtp_port (usual with {security!r}: {port}), or the firewall"

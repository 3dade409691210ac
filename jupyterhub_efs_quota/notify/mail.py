"""Mails by SMTP. Whatever goes wrong comes out as a NotifyError that says what to look at."""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path

import aiosmtplib

from ..errors import NotifyError, SettingsError
from ..settings import EFSQuota

TIMEOUT_SECS = 20.0
_PORTS = {"none": 25, "starttls": 587, "tls": 465}
_LOCAL = ("localhost", "127.0.0.1", "::1")
# One address, with nothing in it that would begin another one or a header.
_ADDRESS = re.compile(r"[^\s,;<>()@\"\\]+@[^\s,;<>()@\"\\]+")


@dataclass(frozen=True)
class Post:
    """Where mails are handed in, and from whom they come. Made by `post_of`."""

    host: str
    port: int
    security: str
    user: str
    password: str
    sender: str

    async def send(self, to: Sequence[str], subject: str, body: str) -> None:
        """Send one mail. Raises NotifyError."""
        mail = _mail(self.sender, to, subject, body)
        try:
            await aiosmtplib.send(
                mail,
                sender=self.sender,
                recipients=list(to),
                hostname=self.host,
                port=self.port,
                username=self.user or None,
                password=self.password or None,
                use_tls=self.security == "tls",
                start_tls=self.security == "starttls",
                tls_context=ssl.create_default_context(),
                timeout=TIMEOUT_SECS,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise NotifyError(self._said(error)) from None

    def _said(self, error: Exception) -> str:
        where = f"The mail is not sent: {self.host}, port {self.port}"
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, aiosmtplib.SMTPAuthenticationError):
            advice = "See smtp_user and smtp_password_file."
        elif isinstance(error, (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPSenderRefused)):
            advice = "See mail_from and mail_to."
        else:
            advice = "See smtp_host, smtp_port and smtp_security."
        return f"{where}: {reason.rstrip('.')}. {advice}"


def post_of(settings: EFSQuota) -> Post:
    """The post that the settings name. Raises SettingsError, naming what is missing or wrong."""
    if not settings.smtp_host:
        raise SettingsError("No mail can be sent: set c.EFSQuota.smtp_host.")
    if not _ADDRESS.fullmatch(settings.mail_from):
        raise SettingsError(
            f"c.EFSQuota.mail_from = {settings.mail_from!r} must be an address: a@example.org"
        )
    security, user = settings.smtp_security, settings.smtp_user
    if user and security == "none" and settings.smtp_host not in _LOCAL:
        raise SettingsError(
            "c.EFSQuota.smtp_user: a password is not sent for all to read. Set smtp_security"
            " to 'starttls' or 'tls'."
        )
    return Post(
        settings.smtp_host,
        settings.smtp_port or _PORTS[security],
        security,
        user,
        _password(settings.smtp_password_file) if user else "",
        settings.mail_from,
    )


def administrators(settings: EFSQuota) -> list[str]:
    """The addresses of the administrators. Raises SettingsError if there are none."""
    wrong = next((each for each in settings.mail_to if not _ADDRESS.fullmatch(each)), None)
    if wrong is not None or not settings.mail_to:
        raise SettingsError(
            f'c.EFSQuota.mail_to must be addresses, ["a@example.org"], not {settings.mail_to!r}'
        )
    return list(settings.mail_to)


def _mail(sender: str, to: Sequence[str], subject: str, body: str) -> EmailMessage:
    mail = EmailMessage()
    # A line's end would begin another header; names in a subject are others' to choose.
    mail["Subject"] = "".join(each if each.isprintable() else " " for each in subject)
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid(domain=sender.partition("@")[2])
    # What out-of-office programs and mailing lists know not to answer.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(body if body.endswith("\n") else f"{body}\n")
    return mail


def _password(path: str) -> str:
    if not path:
        raise SettingsError("c.EFSQuota.smtp_user needs c.EFSQuota.smtp_password_file.")
    try:
        return Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SettingsError(
            f"c.EFSQuota.smtp_password_file {path} cannot be read: {reason}."
        ) from None

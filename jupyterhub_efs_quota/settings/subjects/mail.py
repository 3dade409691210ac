"""How mails are sent, and to whom."""

from __future__ import annotations

from typing import Any

from traitlets import Enum, HasTraits, Int, List, Unicode, validate

from ..checks import absolute


class MailSettings(HasTraits):
    """The host that takes mails, and the administrators' addresses."""

    smtp_host = Unicode(
        "", help="Host that takes mails, such as `localhost`. Empty: no mail is sent."
    ).tag(config=True)
    smtp_port = Int(
        0,
        min=0,
        max=65535,
        help="Its port. 0: the usual one, which is 25, 587 with `starttls`, 465 with `tls`.",
    ).tag(config=True)
    smtp_security = Enum(
        ["none", "starttls", "tls"],
        "none",
        help="How the connection is made safe: not at all, after its beginning, or from it on.",
    ).tag(config=True)
    smtp_user = Unicode("", help="The name to log in with. Empty: no login.").tag(config=True)
    smtp_password_file = Unicode(
        "", help="File with its password, which only the service should be able to read."
    ).tag(config=True)
    mail_from = Unicode("", help="The address that mails come from.").tag(config=True)
    mail_to = List(Unicode(), help="The administrators' addresses, to which mails go.").tag(
        config=True
    )

    @validate("smtp_password_file")
    def _smtp_password_file_is_absolute(self, proposal: Any) -> str:
        return absolute(proposal)

"""Mails, handed to a real SMTP server: with and without TLS and a login."""

import ssl

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from certipy import Certipy

from jupyterhub_efs_quota.errors import NotifyError, SettingsError
from jupyterhub_efs_quota.notify.mail import administrators, post_of
from jupyterhub_efs_quota.settings import EFSQuota

from .conftest import free_port
from .test_check_command import Mailbox


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    store = Certipy(store_dir=str(tmp_path / "certificates"))
    ca = store.create_ca("our-ca")["files"]["cert"]
    names = ["IP:127.0.0.1", "DNS:localhost"]
    files = store.create_signed_pair("ours", "our-ca", alt_names=names)["files"]
    monkeypatch.setenv("SSL_CERT_FILE", ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["cert"], files["key"])
    return context


def authenticate(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (b"hub", b"secret")
    return AuthResult(success=right, handled=False)


@pytest.fixture
def server(certificate):
    """Start an SMTP server: `server(security)` gives its mailbox."""
    started = []

    class OwnController(Controller):
        def factory(self):
            return SMTP(self.handler, **self.SMTP_kwargs)

    def begin(security):
        handler = Mailbox()
        handler.port = free_port()
        login = {"authenticator": authenticate, "auth_required": True}
        options = {
            "none": {},
            "starttls": {"tls_context": certificate, "require_starttls": True, **login},
            # The library would take an encrypted socket for one that is not.
            "tls": {"auth_require_tls": False, **login},
        }[security]
        wrapped = {"ssl_context": certificate} if security == "tls" else {}
        controller = OwnController(
            handler, "127.0.0.1", handler.port, ready_timeout=60, **wrapped, **options
        )
        controller.start()
        started.append(controller)
        return handler

    yield begin
    for controller in started:
        controller.stop()


@pytest.fixture
def settings(tmp_path):
    password = tmp_path / "password"
    password.write_text("secret\n")

    def make(mailbox, security="none", **more):
        return EFSQuota(
            smtp_host="127.0.0.1",
            smtp_port=mailbox.port,
            smtp_security=security,
            mail_from="hub@example.org",
            **({} if security == "none" else {"smtp_user": "hub"}),
            **({} if security == "none" else {"smtp_password_file": str(password)}),
            **more,
        )

    return make


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_a_mail_arrives_by_each_way(server, settings, security):
    mailbox = server(security)
    await post_of(settings(mailbox, security)).send(["a@example.org"], "Hello", "ü\nb")
    (envelope,) = mailbox.envelopes
    assert envelope.mail_from == "hub@example.org"
    text = envelope.content.decode()
    assert "Subject: Hello\r\n" in text
    assert "Auto-Submitted: auto-generated" in text


async def test_a_subject_forges_no_header(server, settings):
    mailbox = server("none")
    subject = "a\r\nBcc: x@example.org\u2028b"
    await post_of(settings(mailbox)).send(["a@example.org"], subject, "b")
    (envelope,) = mailbox.envelopes
    assert b"\nBcc" not in envelope.content
    assert envelope.rcpt_tos == ["a@example.org"]


async def test_a_wrong_password_is_said_to_be_one(server, settings, tmp_path):
    mailbox = server("tls")
    wrong = tmp_path / "wrong"
    wrong.write_text("guess")
    given = settings(mailbox, "tls")
    given.smtp_password_file = str(wrong)
    with pytest.raises(NotifyError, match=r"See smtp_user and smtp_password_file\.") as raised:
        await post_of(given).send(["a@example.org"], "a", "b")
    assert "guess" not in str(raised.value)
    assert mailbox.envelopes == []


async def test_a_server_that_nobody_vouches_for_gets_no_password(server, settings, monkeypatch):
    mailbox = server("starttls")
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(NotifyError, match="smtp_security"):
        await post_of(settings(mailbox, "starttls")).send(["a@example.org"], "a", "b")
    assert mailbox.envelopes == []


async def test_a_server_without_tls_gets_nothing_where_tls_is_asked_for(server, settings):
    mailbox = server("none")
    with pytest.raises(NotifyError, match="smtp_security"):
        await post_of(settings(mailbox, "starttls")).send(["a@example.org"], "a", "b")
    assert mailbox.envelopes == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"smtp_host": ""}, "smtp_host"),
        ({"mail_from": ""}, "mail_from"),
        ({"mail_from": "a@b\nBcc: c@d"}, "mail_from"),
        ({"smtp_user": "x", "smtp_host": "mail.example.org"}, "for all to read"),
        ({"smtp_user": "x"}, "smtp_password_file"),
        ({"smtp_user": "x", "smtp_password_file": "/nowhere/x"}, "/nowhere/x"),
    ],
)
def test_settings_that_cannot_be_are_named(change, said):
    given = {"smtp_host": "localhost", "mail_from": "a@example.org", **change}
    with pytest.raises(SettingsError, match=said):
        post_of(EFSQuota(**given))


@pytest.mark.parametrize("addresses", [[], ["a"], ["a@b", "c@d, e@f"], ["<a@b>"]])
def test_addresses_that_are_none_are_named(addresses):
    with pytest.raises(SettingsError, match="mail_to"):
        administrators(EFSQuota(mail_to=addresses))


@pytest.mark.parametrize(("security", "port"), [("none", 25), ("starttls", 587), ("tls", 465)])
def test_the_usual_port_follows_from_the_security(security, port):
    given = EFSQuota(smtp_host="localhost", smtp_security=security, mail_from="a@example.org")
    assert post_of(given).port == port

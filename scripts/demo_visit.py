"""What `./scripts/demo --once` looks at, over HTTP, as the demo's users would in a browser."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import requests
from demo_homes import ADMIN, MIB, QUOTA_MIB, USERS, fill

T = TypeVar("T")


class DemoError(Exception):
    """Something was not as it should be."""


def until(look: Callable[[], T], what: str, secs: float) -> T:
    """Look again and again until there is something; raise DemoError after a time."""
    end = time.monotonic() + secs
    while not (found := look()):
        if time.monotonic() > end:
            raise DemoError(f"{what}: it did not come about within {secs:.0f} seconds")
        time.sleep(0.3)
    return found


class Visitor:
    """A user who has logged in."""

    def __init__(self, base: str, name: str, password: str) -> None:
        self.name = name
        self._base = base
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy on the way to this machine itself
        self._session.headers["Sec-Fetch-Mode"] = "navigate"  # as a browser opens a page
        self.get("/hub/login")
        page = self._session.post(
            f"{base}/hub/login",
            params={"_xsrf": self._xsrf(), "next": "/hub/home"},
            data={"username": name, "password": password},
            timeout=30,
        )
        if page.status_code != 200 or "/hub/login" in page.url:
            raise DemoError(f"{name} cannot log in: {page.status_code} at {page.url}")

    def get(self, path: str) -> requests.Response:
        """The page, after all redirects."""
        return self._session.get(self._base + path, timeout=30)

    def servers(self) -> list[str]:
        """The names of the user's servers that run ("" is the default one)."""
        response = self._session.get(
            f"{self._base}/hub/api/users/{self.name}",
            headers={"Sec-Fetch-Mode": "cors", "X-XSRFToken": self._xsrf()},
            timeout=30,
        )
        response.raise_for_status()
        return list(response.json()["servers"])

    def _xsrf(self) -> str:
        return str(self._session.cookies.get("_xsrf", path="/hub/"))


def look_around(base: str, homes: Path, passwords: dict[str, str]) -> None:
    """See a refusal, a server, the pages and the reaper; print what was seen.

    Raises DemoError where something is not as it should be.
    """
    carol = Visitor(base, "carol", passwords["carol"])
    _refused(carol)
    _own_page(carol, "lockout")
    alice = Visitor(base, "alice", passwords["alice"])
    _allowed(alice)
    _own_page(alice, "ok")
    _all_users(Visitor(base, ADMIN, passwords[ADMIN]))
    _all_users(Visitor(base, "erin", passwords["erin"]))
    _my_group(alice)
    _stopped(alice, homes)
    _refused(alice)


def _refused(visitor: Visitor) -> None:
    page = visitor.get(f"/hub/spawn/{visitor.name}")
    reason = re.search(r"You are using .*? Logins are disabled\.", page.text)
    if page.status_code != 403 or reason is None:
        raise DemoError(
            f"{visitor.name} is to be refused a server with 403 and the reason, and got"
            f" {page.status_code} at {page.url}"
        )
    said = " ".join(html.unescape(reason[0]).split())
    print(f"{visitor.name} is refused a server (403): {said}")


def _allowed(visitor: Visitor) -> None:
    started = time.monotonic()
    first = visitor.get(f"/hub/spawn/{visitor.name}")
    if first.status_code != 200:
        raise DemoError(f"{visitor.name} gets no server: {first.status_code} at {first.url}")

    def lab() -> bool:
        page = visitor.get(f"/user/{visitor.name}/lab")
        return page.status_code == 200 and "jupyter-config-data" in page.text

    until(lab, f"JupyterLab of {visitor.name}", 90)
    print(f"{visitor.name} has a server: JupyterLab answers, {time.monotonic() - started:.1f} s")


def _own_page(visitor: Visitor, state: str) -> None:
    page = visitor.get("/services/efs-quota/")
    shown = {
        name: html.unescape(re.sub("<[^>]*>", "", found[1]))
        for name in ("used", "quota", "state")
        if (found := re.search(rf'<span id="{name}"[^>]*>(.*?)</span>', page.text))
    }
    if page.status_code != 200 or shown.get("state") != state or not all(shown.values()):
        raise DemoError(f"the page of {visitor.name} shows {shown} ({page.status_code})")
    print(f"{visitor.name}'s page says: {shown['used']} of {shown['quota']}, {shown['state']}")


def _all_users(visitor: Visitor) -> None:
    shown = _table(visitor, {user.name: user.state for user in USERS})
    print(f"{visitor.name} sees all users: {shown}")


def _my_group(visitor: Visitor) -> None:
    shown = _table(visitor, {user.name: user.state for user in USERS if user.name == "grace"})
    print(f"{visitor.name} leads the group research, and sees its members: {shown}")


def _table(visitor: Visitor, wanted: Mapping[str, str]) -> str:
    page = visitor.get("/services/efs-quota/users")
    row = r'<bdi>(\w+)</bdi>.*?<td><span class="badge[^>]*>([^<]*)</span>'
    shown = dict(re.findall(row, page.text, re.DOTALL))
    if page.status_code != 200 or shown != wanted:
        raise DemoError(f"the table that {visitor.name} sees is {shown} ({page.status_code})")
    return ", ".join(f"{name} {state}" for name, state in shown.items())


def _stopped(visitor: Visitor, homes: Path) -> None:
    started = time.monotonic()
    fill(homes / visitor.name / "too-much", 2 * QUOTA_MIB * MIB)
    until(lambda: not visitor.servers(), f"the server of {visitor.name} to be stopped", 60)
    print(
        f"{visitor.name} stores {2 * QUOTA_MIB} MiB more: her server is stopped,"
        f" {time.monotonic() - started:.1f} s"
    )

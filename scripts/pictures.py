"""Takes the pictures that the README and the documentation show, of a demo that runs.

Run by ./scripts/pictures. Takes each page wide and narrow, light and dark, into a folder to
look at; the few that are shown are copied into docs/images. A further page is a line in
PICTURES.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

SERVICE = "/services/efs-quota/"


@dataclass(frozen=True)
class Picture:
    """A page as a user sees it: `path` below the hub, and what is done there first.

    `fill`: what is written into which field; `click`: what is clicked then, in order. `ready`:
    what is on the page when it is all there. `down_to`: how much of it is taken: down to the
    end of this element, or as much as a screen shows (""), or all of it ("all"). `sizes` and
    `schemes`: in which it is taken.
    """

    name: str
    user: str
    path: str
    ready: str = "h1"
    click: Sequence[str] = ()
    fill: Mapping[str, str] = field(default_factory=dict)
    down_to: str = "all"
    sizes: Sequence[str] = ("wide", "narrow")
    schemes: Sequence[str] = ("light", "dark")


_DRAWN = "#treemap .slice, #missing"
_SLIDER = "#slide:not([hidden])"
PICTURES = (
    *(Picture(f"mine-{user}", user, SERVICE, _DRAWN) for user in ("alice", "carol", "dave")),
    Picture("locked-out", "carol", SERVICE, _DRAWN, down_to="#curve"),
    Picture("mine-bob", "bob", SERVICE, _DRAWN, down_to="#treemap"),
    Picture("mine-admin", "admin", SERVICE, _DRAWN),
    Picture("free-carol", "carol", f"{SERVICE}free", "#treemap .slice", down_to="#treemap"),
    Picture("free-whole", "carol", f"{SERVICE}free?path=data&sort=-size", "#treemap .slice"),
    Picture("free-confirm", "carol", f"{SERVICE}free", "#count", ["#proposal button"]),
    # Changes something, which the demo allows: the others are taken of other users.
    Picture(
        "free-limbo",
        "dave",
        f"{SERVICE}free",
        "#done",
        ["#largest tr:nth-child(3) input", "#largest button", "#aside"],
    ),
    Picture("users", "admin", f"{SERVICE}users", down_to=""),
    Picture("user", "admin", f"{SERVICE}users/carol", _DRAWN, down_to="#curve"),
    Picture("user-whole", "admin", f"{SERVICE}users/carol", _DRAWN),
    Picture(
        "plan",
        "admin",
        f"{SERVICE}users",
        "#confirm",
        ["#all-yes", "#preview"],
        {"#size": "25 MiB", "#reason": "A smaller store from January on"},
    ),
    Picture("my-group", "alice", f"{SERVICE}users", down_to=""),
    Picture("member", "alice", f"{SERVICE}users/grace"),
    Picture("overview", "admin", f"{SERVICE}overview", _SLIDER, down_to="#what-if"),
    Picture("overview-whole", "admin", f"{SERVICE}overview", _SLIDER),
    Picture("settings", "admin", f"{SERVICE}overview/settings", down_to=""),
    Picture("jobs", "admin", f"{SERVICE}jobs", down_to=""),
    Picture("not-found", "alice", f"{SERVICE}no/such/page", down_to=""),
    Picture("refused", "carol", "/hub/spawn/carol", "text=but are only permitted", down_to=""),
    Picture(
        "hub-home", "bob", "/hub/home", "#efs-quota-bar:not([hidden])", down_to="#efs-quota-bar"
    ),
    Picture("hub-admin", "admin", "/hub/admin", "#efs-quota-admin-link", down_to=""),
    # Begins a server: so this one last, and once.
    Picture(
        "spawn",
        "bob",
        "/hub/spawn/bob",
        "#progress-log .progress-log-event",
        ["#progress-details summary"],
        down_to="",
        sizes=("wide",),
        schemes=("light",),
    ),
)
# What the documentation shows, and under which name.
SHOWN = {
    "mine-bob-wide-light": "my-storage",
    "refused-wide-light": "refused",
    "users-wide-light": "all-users",
    "user-wide-light": "user",
    "plan-wide-light": "change-quotas",
    "my-group-wide-light": "my-group",
    "jobs-wide-light": "jobs",
    "locked-out-wide-light": "locked-out",
    "settings-wide-light": "settings",
    "overview-wide-light": "overview",
    "hub-home-wide-light": "hub-home",
    "free-carol-wide-light": "free-space",
    "free-confirm-wide-light": "free-confirm",
    "spawn-wide-light": "spawn",
}
SIZES = {"wide": (1280, 700), "narrow": (320, 700)}
PATIENCE_MSECS = 180_000
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def log_in(page: Page, base: str, user: str, password: str) -> None:
    """Log in and end on the page of the user's own storage."""
    page.goto(base + SERVICE)
    page.fill("#username_input", user)
    page.fill("#password_input", password)
    page.click("#login_submit")
    page.wait_for_selector("h1:has-text('My storage')")


def take(page: Page, base: str, picture: Picture, path: Path) -> None:
    """Go there, do what is to be done, and take the picture."""
    page.goto(base + picture.path)
    for where, text in picture.fill.items():
        page.fill(where, text)
    for what in picture.click:
        page.click(what)
    page.wait_for_selector(picture.ready, state="attached")
    if picture.down_to in ("", "all"):
        page.screenshot(path=path, full_page=picture.down_to == "all")
        return
    box = page.locator(picture.down_to).bounding_box()
    width = page.viewport_size["width"] if page.viewport_size else 0
    bottom = box["y"] + box["height"] + 12 if box else 700
    clip: Any = {"x": 0, "y": 0, "width": width, "height": bottom}
    page.screenshot(path=path, full_page=True, clip=clip)


def read_passwords(said: str) -> dict[str, str]:
    """The password of each user whose pictures are taken, as the demo prints them."""
    (admin,) = re.findall(r"^Password of admin: (\S+)", said, re.MULTILINE)
    (others,) = re.findall(r"^Password of all others: (\S+)", said, re.MULTILINE)
    return {**{picture.user: others for picture in PICTURES}, "admin": admin}


class Visitors:
    """The users who have logged in, each in each kind of window."""

    def __init__(self, browser: Browser, base: str, passwords: dict[str, str]) -> None:
        self.complaints: list[str] = []
        self._browser = browser
        self._base = base
        self._passwords = passwords
        self._pages: dict[tuple[str, str, str], Page] = {}

    def page(self, user: str, size: str, scheme: str) -> Page:
        """The user's window of a size, light or dark."""
        if (user, size, scheme) not in self._pages:
            width, height = SIZES[size]
            page = self._browser.new_page(
                color_scheme="dark" if scheme == "dark" else "light",
                viewport={"width": width, "height": height},
            )
            page.set_default_timeout(PATIENCE_MSECS)
            page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
            log_in(page, self._base, user, self._passwords[user])
            self._pages[user, size, scheme] = page
        return self._pages[user, size, scheme]


def take_all(visitors: Visitors, base: str, folder: Path, wanted: str) -> None:
    """Take those pictures in whose name the wanted expression is found."""
    for picture in PICTURES:
        for scheme in picture.schemes:
            for size in picture.sizes:
                name = f"{picture.name}-{size}-{scheme}"
                if not re.search(wanted, name):
                    continue
                page = visitors.page(picture.user, size, scheme)
                take(page, base, picture, folder / f"{name}.png")
                if page.evaluate("document.documentElement.scrollWidth") > SIZES[size][0]:
                    visitors.complaints.append(f"{name} is wider than the screen")


def shrink(taken: Path, shown: Path) -> None:
    """Keep a picture with the colours that a page has: a third of the size."""
    image = Image.open(taken).convert("RGB")
    flat = image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    flat.save(shown, optimize=True)


def main() -> None:
    """Take the pictures of the demo whose first words are in a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("said", type=Path, help="what the demo printed")
    parser.add_argument("folder", type=Path, help="where all pictures go")
    parser.add_argument("--only", default="", help="those whose name this expression fits")
    parser.add_argument("--shown", type=Path, help="where the shown ones go, under their names")
    asked = parser.parse_args()

    said = asked.said.read_text()
    base = re.findall(r"http://\S+", said)[0].rstrip("/")
    asked.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        visitors = Visitors(browser, base, read_passwords(said))
        take_all(visitors, base, asked.folder, asked.only)
        browser.close()
    for complaint in sorted(set(visitors.complaints)):
        print(complaint)
    if asked.shown:
        for name, shown in SHOWN.items():
            shrink(asked.folder / f"{name}.png", asked.shown / f"{shown}.png")
    print(f"The pictures are in {asked.folder}")


if __name__ == "__main__":
    main()

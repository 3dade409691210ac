"""Takes the pictures that the README and the documentation show, of a demo that runs.

Run by ./scripts/pictures. Takes each page wide and narrow, light and dark, into a folder to
look at; the few that are shown are copied into docs/images.
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

SHOWN = {
    "mine-bob-wide-light": "my-storage",
    "refused-carol-wide-light": "refused",
    "users-admin-wide-light": "all-users",
    "overview-admin-wide-light": "overview",
    "hub-home-bob-wide-light": "hub-home",
}
USERS = ("alice", "bob", "carol", "dave", "admin")
SIZES = {"wide": (1200, 700), "narrow": (320, 700)}
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
    page.goto(f"{base}/services/efs-quota/")
    page.fill("#username_input", user)
    page.fill("#password_input", password)
    page.click("#login_submit")
    page.wait_for_selector("h1:has-text('My storage')")


def take_storage(page: Page, path: Path) -> None:
    """The page of the user's own storage, as far down as the map of folders; then all of it."""
    page.wait_for_selector("#treemap .slice, #missing")
    box = page.locator("#treemap").bounding_box() if page.is_visible("#treemap") else None
    width = page.viewport_size["width"] if page.viewport_size else 0
    clip: Any = (
        {"x": 0, "y": 0, "width": width, "height": box["y"] + box["height"] + 24} if box else None
    )
    page.screenshot(path=path, full_page=True, clip=clip)
    page.screenshot(path=path.with_stem(f"{path.stem}-whole"), full_page=True)


def take_overview(page: Page, path: Path) -> None:
    """The overview as far down as its what-if; then all of it."""
    box = page.locator("#what-if").bounding_box()
    width = page.viewport_size["width"] if page.viewport_size else 0
    clip: Any = (
        {"x": 0, "y": 0, "width": width, "height": box["y"] + box["height"]} if box else None
    )
    page.screenshot(path=path, full_page=True, clip=clip)
    page.screenshot(path=path.with_stem(f"{path.stem}-whole"), full_page=True)


def take_home(page: Page, base: str, path: Path) -> None:
    """The upper part of the hub's home page, with the user's own bar."""
    page.goto(f"{base}/hub/home")
    page.wait_for_selector("#efs-quota-bar:not([hidden])")
    width = page.viewport_size["width"] if page.viewport_size else 0
    page.screenshot(path=path, clip={"x": 0, "y": 0, "width": width, "height": 220})


def read_passwords(said: str) -> dict[str, str]:
    """The password of each user whose pictures are taken, as the demo prints them."""
    (admin,) = re.findall(r"^Password of admin: (\S+)", said, re.MULTILINE)
    (others,) = re.findall(r"^Password of all others: (\S+)", said, re.MULTILINE)
    return {**dict.fromkeys(USERS, others), "admin": admin}


def take_all(browser: Browser, base: str, passwords: dict[str, str], folder: Path) -> list[str]:
    """Take every picture; what the browser's console complained about."""
    complaints: list[str] = []
    for scheme in ("light", "dark"):
        for size, (width, height) in SIZES.items():
            for user in USERS:
                context = browser.new_context(
                    color_scheme=scheme,
                    viewport={"width": width, "height": height},
                )
                page = context.new_page()
                page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}"))

                def take(name: str, user: str = user, page: Page = page) -> None:
                    page.screenshot(path=folder / f"{name}-{user}-{size}-{scheme}.png")  # noqa: B023

                log_in(page, base, user, passwords[user])
                take_storage(page, folder / f"mine-{user}-{size}-{scheme}.png")
                if user != "admin":
                    take_home(page, base, folder / f"hub-home-{user}-{size}-{scheme}.png")
                if user == "carol":
                    page.goto(f"{base}/hub/spawn/carol")
                    take("refused")
                if user == "admin":
                    page.goto(f"{base}/services/efs-quota/users")
                    take("users")
                    page.goto(f"{base}/services/efs-quota/users/carol")
                    page.wait_for_selector("#treemap .slice, #missing")
                    page.screenshot(path=folder / f"user-carol-{size}-{scheme}.png", full_page=True)
                    page.goto(f"{base}/services/efs-quota/overview")
                    page.wait_for_selector("#slide:not([hidden])")
                    take_overview(page, folder / f"overview-admin-{size}-{scheme}.png")
                    page.goto(f"{base}/services/efs-quota/overview/settings")
                    take("settings")
                    page.goto(f"{base}/hub/admin")
                    page.wait_for_selector("#efs-quota-admin-link")
                    take("hub-admin")
                    page.goto(f"{base}/hub/home")
                    if size == "wide":
                        page.click("text=Services")
                    take("hub-home")
                context.close()
    return complaints


def main() -> None:
    """Take the pictures of the demo whose first words are in a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("said", type=Path, help="what the demo printed")
    parser.add_argument("folder", type=Path, help="where all pictures go")
    parser.add_argument("--shown", type=Path, help="where the shown ones go, under their names")
    asked = parser.parse_args()

    said = asked.said.read_text()
    base = re.findall(r"http://\S+", said)[0].rstrip("/")
    passwords = read_passwords(said)
    asked.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        complaints = take_all(browser, base, passwords, asked.folder)
        browser.close()
    for complaint in sorted(set(complaints)):
        print(complaint)
    if asked.shown:
        for name, shown in SHOWN.items():
            shutil.copy(asked.folder / f"{name}.png", asked.shown / f"{shown}.png")
    print(f"The pictures are in {asked.folder}")


if __name__ == "__main__":
    main()

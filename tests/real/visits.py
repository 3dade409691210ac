"""Pages in a real browser, opened by users who log in by hand."""

from contextlib import asynccontextmanager

# Widths and colours in which each page is looked at.
LOOKS = [(320, "dark"), (1280, "light"), (3840, "light")]


@asynccontextmanager
async def visits(browser):
    """Gives a function that opens an address as a user, who comes to a page with `ready` on it.

    A page keeps in `said` what its console told. All windows are closed at the end.
    """
    contexts = []

    async def open_as(address, name, password, *, ready="h1:has-text('My storage')", **look):
        context = await browser.new_context(**look)
        context.set_default_timeout(120_000)
        contexts.append(context)
        page = await context.new_page()
        page.said = []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        await page.goto(address)
        await page.fill("#username_input", name)
        await page.fill("#password_input", password)
        await page.click("#login_submit")
        await page.wait_for_selector(ready)
        return page

    yield open_as
    for context in contexts:
        await context.close()

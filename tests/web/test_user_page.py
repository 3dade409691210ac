"""One user's page: who has it, what is on it for whom, and its forms."""

from datetime import timedelta

import pytest

from jupyterhub_efs_quota.quota.record import State
from jupyterhub_efs_quota.quota.summary import Folder, LargeFile, Summary, Sums
from jupyterhub_efs_quota.quota.usage import Usage

from ..conftest import NOW
from ..history.conftest import measure
from .conftest import GIB, PREFIX, parsed

OTHERS = ["users/dora", "users/nobody", "users/nobody%2Felse"]


def summed_up(size, **folders):
    whole = Sums(size, size, 3)
    listed = [Folder(path, Sums(held, held, 1), 1, 5) for path, held in folders.items()]
    return Summary(
        int(NOW.timestamp()),
        (Folder("", whole, 1 + len(listed), 5), *listed),
        types={"code": whole},
        ages_days=(7,),
        modified=(whole, Sums()),
        accessed=(whole, Sums()),
        largest=(LargeFile("thesis-of-anna.tex", 5, 5, 5),),
        junk={},
        junk_places=(),
    )


@pytest.fixture
def remembered(pages, history):
    """Anna, with two summaries in which a folder has a name."""
    for ago, size in ((8, GIB), (0, 5 * GIB)):
        found = summed_up(size, private_folder=size)
        usage = Usage(bytes=size, allocated=size, files=3, dirs=2, summary=found)
        measure(history, NOW - timedelta(days=ago), "anna", size, usage=usage)
    history.stopped("anna", "gpu", "over", by="Reaper")
    assert history.flush(30)
    return pages


@pytest.mark.parametrize("who", ["carl", "teacher", "looker", "mentor"])
@pytest.mark.parametrize("end", ["", "/quota", "/measure"])
async def test_who_is_out_of_reach_is_answered_like_who_does_not_exist(pages, who, end):
    ask = pages.post if end else pages.get
    answers = [await ask(f"{path}{end}", who) for path in OTHERS]
    assert {answer.code for answer in answers} == {404}
    assert len({answer.body for answer in answers}) == 1
    assert pages.parts.store.read("dora").quota_bytes == 10 * GIB


async def test_how_far_a_measurement_is_is_told_to_who_may_measure(pages):
    for who in ("carl", "looker", "anna"):
        answer = await pages.get("users/anna/measuring", who)
        assert answer.code == (404 if who == "carl" else 403)
    answer = await pages.get("users/anna/measuring", "teacher")
    assert answer.code == 200 and b'"measuring": false' in answer.body


async def test_users_are_led_from_their_own_name_to_their_own_storage(pages):
    answer = await pages.get("users/anna", "anna")
    assert answer.code == 302 and answer.headers["Location"] == PREFIX
    for path in ("users/anna/quota", "users/anna/measure"):
        assert (await pages.post(path, "anna", how="set", size="1T", reason="x")).code == 403
    assert pages.parts.store.read("anna").quota_bytes == 10 * GIB


async def test_an_administrator_sees_where_it_goes_and_a_lead_no_name_of_a_file(remembered):
    page = await remembered.page("users/anna", "admin")
    assert "private_folder" in page.find("ul", class_="tree").text
    assert "thesis-of-anna.tex" in page.text
    assert "private_folder" in page.find(id="changes").text
    for who in ("teacher", "looker", "support"):
        answer = await remembered.get("users/anna", who)
        assert b"private_folder" not in answer.body and b"thesis-of-anna" not in answer.body, who
        told = parsed(answer)
        assert told.find(id="used").text == "5.0 GiB"
        assert "+4.0 GiB" in told.text and told.find(id="figures") is not None


async def test_the_page_says_why_what_happened_and_what_was_measured(remembered):
    page = await remembered.page("users/anna", "looker")
    assert "The home holds 5.0 GiB of 10.0 GiB" in page.find(id="state-why").text
    assert "it was set by hand" in page.find(id="quota-why").text
    assert "Server stopped: gpu" in page.find(id="happened").text
    assert len(page.select("#measurements tbody tr")) == 2


async def test_who_may_only_look_has_no_form_and_changes_nothing(pages):
    page = await pages.page("users/anna", "looker")
    assert page.find("form", method="post") is None
    for path in ("users/anna/quota", "users/anna/measure"):
        assert (await pages.post(path, "looker", how="set", size="1T", reason="x")).code == 403
    assert pages.parts.store.read("anna").quota_bytes == 10 * GIB


async def set_quota(pages, who="teacher", **fields):
    return await pages.post("users/anna/quota", who, **{"how": "set", "reason": "Thesis", **fields})


async def test_a_quota_is_set_and_the_page_says_what_was_done(pages, history):
    answer = await set_quota(pages, size="50Gi", files="200,000", until="2026-12-24")
    page = await pages.follow(answer, "teacher")
    assert "anna may hold 50.0 GiB and 200,000 files now, and 10.0 GiB before." in page.text
    record = pages.parts.store.read("anna")
    assert (record.quota_bytes, record.quota_files) == (50 * GIB, 200_000)
    assert record.quota_until.isoformat() == "2026-12-25T00:00:00+00:00"
    assert history.flush(30)
    (action,) = history.actions(user="anna").rows
    assert (action.by, action.reason, action.kind) == ("teacher", "Thesis", "quota-changed")
    page = await pages.page("users/anna", "teacher")
    assert "Quota 50.0 GiB and 200,000 files, before 10.0 GiB" in page.find(id="happened").text
    assert page.find(id="size")["value"] == "50Gi"
    assert page.find(id="until")["value"] == "2026-12-25 00:00"


async def test_a_quota_that_locks_out_says_so_and_one_that_lifts_it_too(pages):
    page = await pages.follow(await set_quota(pages, size="1Gi"), "teacher")
    assert "this locks them out" in page.find(id="note").text
    assert pages.parts.store.read("anna").quota_state is State.LOCKOUT
    page = await pages.follow(await set_quota(pages, size="6Gi"), "teacher")
    assert "locked out no more" in page.find(id="note").text


async def test_a_reset_gives_what_the_settings_give(pages):
    answer = await pages.post("users/anna/quota", "admin", how="reset", reason="Over")
    page = await pages.follow(answer, "admin")
    assert "20.0 GiB now" in page.find(id="note").text
    assert pages.parts.store.read("anna").quota_source == "group:course"


BAD = {
    "size": ["many", "-1Gi", "1e9", "9" * 70, "<b>"],
    "files": ["-1", "1.5", "x" * 70, "²"],
    "until": ["yesterday", "2020-01-01", "-1d", "9999-12-31", "9999-12-31T23:59:59-12:00"],
    "reason": ["", "  ", "x" * 501],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name in BAD for text in BAD[name]])
async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(pages, name, text):
    given = {"size": "50Gi", "files": "7", "until": "+30d", "reason": "Thesis", name: text}
    answer = await set_quota(pages, **given)
    assert answer.code == 400
    page = parsed(answer)
    for field, value in given.items():
        kept = page.find(id=field)
        assert kept["value"] == value.strip()
        assert ("is-invalid" in kept["class"]) == (field == name)
    assert page.find(id=f"{name}-error").text
    assert f"{name}-error" in page.find(id=name)["aria-describedby"]
    assert pages.parts.store.read("anna").quota_bytes == 10 * GIB


async def test_a_form_with_no_amount_says_so(pages):
    page = parsed(await set_quota(pages, size="", files=""))
    assert "how much" in page.find(id="size-error").text


async def test_a_reset_without_a_reason_shows_that_form_again(pages):
    answer = await pages.post("users/anna/quota", "teacher", how="reset", reason="")
    page = parsed(answer)
    assert answer.code == 400 and page.find(id="reset-reason-error").text
    assert page.find(id="reset-form").find_parent("details").has_attr("open")
    assert page.find(id="size-error") is None


async def test_a_damaged_file_is_said_without_its_path_and_left_as_it_is(pages):
    path = pages.parts.store.path("anna")
    path.write_text("quota_bytes: many\n")
    answer = await set_quota(pages, size="50Gi")
    page = parsed(answer)
    assert answer.code == 400 and "damaged" in page.find(role="alert").text
    assert str(path) not in page.text and page.find(id="reason")["value"] == "Thesis"
    assert path.read_text() == "quota_bytes: many\n"


async def test_what_was_done_is_said_to_nobody_else(pages):
    answer = await set_quota(pages, size="50Gi")
    path = answer.headers["Location"].removeprefix(PREFIX)
    assert (await pages.page(path, "teacher")).find(id="note") is not None
    assert (await pages.page(path, "admin")).find(id="note") is None


async def test_a_reason_with_markup_is_text(pages, history):
    await set_quota(pages, size="50Gi", reason="<img src=x onerror=alert(1)>")
    assert history.flush(30)
    answer = await pages.get("users/anna", "admin")
    assert b"<img src=x" not in answer.body and b"&lt;img src=x" in answer.body


async def test_a_reason_turns_no_text_around(pages, history):
    await set_quota(pages, size="50Gi", reason="Thesis of \u202eanna")
    assert history.flush(30)
    text = (await pages.page("users/anna", "admin")).find("main").text
    assert "\u202e" not in text and text.count("Thesis of \\u202eanna") == 2


async def test_without_a_history_the_page_says_so_and_shows_the_rest(make_pages, no_history):
    pages = make_pages(no_history)
    pages.put("anna", ("course",))
    page = await pages.page("users/anna", "teacher")
    assert page.find(id="used").text == "1.0 GiB" and page.find(id="missing") is not None
    assert page.find(id="set") is not None


async def test_what_is_older_is_on_the_next_page(pages, history):
    for number in range(40):
        history.stopped("anna", f"server-{number}", "over", by="Reaper")
    assert history.flush(30)
    page = await pages.page("users/anna", "looker")
    assert len(page.select("#happened tbody tr")) == 30
    following = page.find("a", rel="next")["href"].partition("efs-quota/")[2].partition("#")[0]
    assert len((await pages.page(following, "looker")).select("#happened tbody tr")) == 10

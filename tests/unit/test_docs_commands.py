"""The pages about the commands say what these take."""

import re

import pytest

from jupyterhub_efs_quota.commands import SHARED_ALIASES, ApiCommand
from jupyterhub_efs_quota.doctor.checks import CHECKS
from jupyterhub_efs_quota.doctor.command import DoctorCommand
from jupyterhub_efs_quota.quota.standing import STANDINGS
from jupyterhub_efs_quota.remote.command import RemoteCommand
from jupyterhub_efs_quota.remote.history import HistoryCommand, RunsCommand
from jupyterhub_efs_quota.remote.overview import OverviewCommand
from jupyterhub_efs_quota.remote.quota import ResetQuotaCommand, SetQuotaCommand
from jupyterhub_efs_quota.remote.show import ExplainCommand, ShowCommand
from jupyterhub_efs_quota.remote.users import UsersCommand
from jupyterhub_efs_quota.users.table import SORTS

from .test_docs import page, table

REMOTE = [
    OverviewCommand,
    UsersCommand,
    ShowCommand,
    ExplainCommand,
    SetQuotaCommand,
    ResetQuotaCommand,
    HistoryCommand,
    RunsCommand,
]


def flags_in(text):
    """All flags in the first cells of the tables of a text."""
    cells = re.findall(r"^\| (`--[^|]*) \|", text, re.MULTILINE)
    return {flag for cell in cells for flag in re.findall(r"`--([a-z-]+)", cell)}


def section(name):
    (text,) = re.findall(
        rf"^## {name}\n(.*?)(?=^## |\Z)", page("service-commands.md"), re.DOTALL | re.MULTILINE
    )
    return text


@pytest.mark.parametrize("command", REMOTE)
def test_every_flag_of_a_command_is_in_its_section_and_no_other(command):
    name = command.name.split()[-1]
    own = {*command.aliases, *command.flags} - {*RemoteCommand.aliases, *RemoteCommand.flags}
    assert flags_in(section(name)) == own
    usage = f"jupyterhub-efs-quota {name} [OPTION ...] {' '.join(command.arguments)}".strip()
    assert usage in section(name)
    assert usage in command.description


def test_the_flags_of_all_of_them_are_said_once():
    before = page("service-commands.md").partition("\n## ")[0]
    assert flags_in(before) == {*ApiCommand.aliases, *RemoteCommand.flags}


def test_every_key_to_sort_by_and_every_state_is_one_of_the_api():
    assert all(f"`{key}`" in section("users") for key in SORTS)
    assert set(UsersCommand.state.values) == {"", *STANDINGS}


def test_every_flag_and_every_check_of_the_doctor_is_in_the_documentation():
    assert flags_in(page("doctor.md")) == {*DoctorCommand.aliases, *DoctorCommand.flags}
    assert set(SHARED_ALIASES) <= set(DoctorCommand.aliases)
    assert {check.name for check in CHECKS} <= set(table("doctor.md"))

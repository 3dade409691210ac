"""The API's contract: it is OpenAPI, its routes are answered, and visitors have their rights."""

import pytest
from openapi_spec_validator import validate

from jupyterhub_efs_quota.board import Problem, Row
from jupyterhub_efs_quota.history.events import Action, Run
from jupyterhub_efs_quota.history.happened import StateChange
from jupyterhub_efs_quota.history.reading import Point
from jupyterhub_efs_quota.hub.client import HubUser
from jupyterhub_efs_quota.quota.ahead import Lock
from jupyterhub_efs_quota.quota.limits import Limit, Limits
from jupyterhub_efs_quota.quota.record import Record
from jupyterhub_efs_quota.quota.sizes import MOST
from jupyterhub_efs_quota.users import as_json
from jupyterhub_efs_quota.users.change import Change
from jupyterhub_efs_quota.users.explain import explain
from jupyterhub_efs_quota.users.own_quota import own_quota
from jupyterhub_efs_quota.web.api.contract import OPERATIONS, document
from jupyterhub_efs_quota.web.api.handlers import ANSWERS
from jupyterhub_efs_quota.web.api.schemas import SCHEMAS
from jupyterhub_efs_quota.web.api.values import Size
from jupyterhub_efs_quota.web.api.visitor import ADMIN, MANAGE, READ, visitor_of

from ..conftest import NOW

DOCUMENT = document("/services/efs-quota/api", "1")
WHOLE_RECORD = Record(
    "homer", actual_bytes=5, usage_files=1, quota_files=2, allocated_bytes=3, unreadable=0,
    meter="walk", quota_source="hand", configured_bytes=1, configured_files=1, quota_until=NOW,
    quota_reason="why", over_since=NOW, full_at=NOW, full_in="files", home="/home/homer", started=NOW, stopped=NOW,
    last_activity=NOW, reaper_time=NOW, rescue_began=NOW, rescue_until=NOW, rescue_server="gpu",
    rescue_started=NOW, rescue_bytes=5, rescue_files=1, rescue_back=NOW, rescue_ended="grown",
    extra={"note": 1},
)  # fmt: skip
ROW = Row(HubUser("homer", groups=("a",)), WHOLE_RECORD, {"Reaper": Problem("bad", "store")})
OWN = own_quota(WHOLE_RECORD, Limit(1, 1), NOW, 0)
USER = as_json.user_json(ROW, own=OWN)
POINT = Point(NOW, 1, 2, None, 1, None, 1, 1, 0, True, False, 0.5)
ACTION = Action("quota-changed", "homer", NOW, "admin", before='{"quota_bytes": 1}', until=NOW)


def test_the_contract_is_openapi():
    validate(DOCUMENT)


def test_every_operation_is_answered_and_nothing_else_is():
    assert {each.name for each in OPERATIONS} == set(ANSWERS)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("Record", as_json.record_json(WHOLE_RECORD)),
        ("Record", as_json.record_json(Record("new"))),
        ("Row", as_json.row_json(ROW, 5)),
        ("Row", as_json.row_json(Row(HubUser("new", groups=None)))),
        ("User", as_json.user_json(ROW)),
        ("User", USER),
        ("User", as_json.user_json(Row(HubUser("new")), measuring=True)),
        ("User", as_json.user_json(ROW, lock=Lock(NOW, sure=True))),
        ("Rows", as_json.page_json([as_json.row_json(ROW)], 1, 1, 0)),
        ("Explanation", as_json.plain(explain(WHOLE_RECORD, ("a",), Limits(), NOW))),
        ("Measurement", as_json.point_json(POINT)),
        ("Change", as_json.happened_json(ACTION)),
        ("Change", as_json.happened_json(Action("other", None, NOW, "x", after="{odd"))),
        (
            "Change",
            as_json.happened_json(StateChange("homer", NOW, None, "lockout", "Reaper", 5, 1)),
        ),
        ("Run", as_json.run_json(Run("monitor", "host", NOW, NOW, counts={"users": 1}))),
        ("QuotaChange", as_json.change_json(Change(None, WHOLE_RECORD), USER)),
        ("QuotaChange", as_json.change_json(Change(Record("homer"), WHOLE_RECORD), USER)),
    ],
)
def test_what_is_answered_is_as_the_contract_says(name, answer):
    from openapi_schema_validator import OAS31Validator

    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    errors = [error.message for error in OAS31Validator(schema).iter_errors(answer)]
    assert errors == []


def test_the_record_is_shown_with_all_that_is_known_and_nothing_that_a_file_holds_besides():
    shown = as_json.record_json(WHOLE_RECORD)
    assert set(shown) == set(Record.__dataclass_fields__) - {"extra"}
    assert shown["quota_until"] == "2026-11-22T12:00:00.000000Z"
    assert as_json.record_json(Record("new"))["started"] is None


ACCESS = {"access:services", "access:services!service=efs-quota"}
ANNA = HubUser("anna", groups=("course",))
CARL = HubUser("carl", groups=("other",))


def visitor(*scopes, kind="user", name="teacher", **model):
    return visitor_of({"name": name, "kind": kind, "scopes": scopes, **model}, ACCESS)


@pytest.mark.parametrize(
    ("scope", "anna", "carl", "everybody"),
    [
        ("custom:efs-quota:{}", True, True, True),
        ("custom:efs-quota:{}!group=course", True, False, False),
        ("custom:efs-quota:{}!user=anna", True, False, False),
        ("custom:efs-quota:{}!group=cour", False, False, False),
        ("custom:efs-quota:{}!server=anna/", False, False, False),
        ("custom:efs-quota:{}x", False, False, False),
    ],
)
def test_a_scope_is_good_for_whom_its_filter_names_and_for_what_it_contains(
    scope, anna, carl, everybody
):
    held = [READ, MANAGE, ADMIN]
    for have, level in enumerate(("read", "manage", "admin")):
        asks = visitor(scope.format(level))
        for need, wanted in enumerate(held):
            enough = have >= need
            assert asks.may(wanted, ANNA) is (anna and enough)
            assert asks.may(wanted, CARL) is (carl and enough)
            assert asks.may_all(wanted) is (everybody and enough)


def test_who_opens_the_pages_reads_their_own_and_manages_nothing():
    asks = visitor("access:services!service=efs-quota", name="anna")
    assert asks.may(READ, ANNA) and not asks.may(MANAGE, ANNA) and not asks.may(READ, CARL)
    assert not visitor("access:services!service=other", name="anna").may(READ, ANNA)


def test_an_administrator_may_all_with_a_token_for_this_service_only():
    assert visitor("access:services", admin=True).may_all(ADMIN)
    assert not visitor("list:users", admin=True).may_all(READ)
    assert not visitor("list:users", admin=True).may_anything


def test_a_service_is_not_the_user_of_its_name_and_is_called_a_service_on_record():
    asks = visitor("access:services", kind="service", name="anna")
    assert not asks.may(READ, ANNA)
    assert asks.called == "service anna"
    assert visitor("access:services", name="anna").called == "anna"


def test_nobody_is_in_a_group_that_the_hub_does_not_tell():
    assert not visitor(f"{READ}!group=course").may(READ, HubUser("anna", groups=None))


def test_everybody_s_scope_for_themselves_makes_nobody_a_lead():
    asks = visitor(f"{READ}!user=teacher", "access:services")
    assert not asks.leads and not asks.looks_after(HubUser("teacher"))
    assert asks.may(READ, HubUser("teacher"))


@pytest.mark.parametrize("scope", [f"{READ}!group=course", f"{MANAGE}!user=anna"])
def test_a_lead_looks_after_whom_a_filter_names_and_is_not_one_of_them(scope):
    asks = visitor(scope, f"{READ}!user=teacher", "access:services")
    assert asks.leads and asks.looks_after(ANNA) and not asks.looks_after(CARL)
    assert not asks.looks_after(HubUser("teacher"))
    assert asks.looks_after(ANNA, MANAGE) is scope.startswith(MANAGE)


def test_a_lead_who_is_in_the_group_looks_after_themselves_too():
    asks = visitor(f"{READ}!group=course", f"{READ}!user=anna", "access:services", name="anna")
    assert asks.looks_after(ANNA)


@pytest.mark.parametrize("scopes", [(READ,), (ADMIN,), (f"{READ}!group=a", MANAGE)])
def test_who_sees_all_is_no_lead(scopes):
    asks = visitor(*scopes)
    assert not asks.leads and asks.looks_after(CARL)


def test_a_lead_knows_the_groups_of_their_scopes_and_no_others():
    asks = visitor(f"{READ}!group=a", f"{MANAGE}!group=b", "other!group=c", f"{READ}!user=group=d")
    assert asks.groups == {"a", "b"}


def test_a_number_of_bytes_in_a_query_may_be_as_large_as_the_contract_says():
    assert Size().schema["anyOf"][0]["maximum"] == MOST
    assert Size().read(str(MOST)) == MOST
    for wrong in (str(MOST + 1), "-1", "²", "1e3", "9" * 40):
        with pytest.raises(ValueError):
            Size().read(wrong)

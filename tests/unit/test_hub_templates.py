"""The bar in the hub's own pages: there for who may open the service, unless switched off."""

from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from jinja2 import ChoiceLoader, DictLoader, Environment, FileSystemLoader
from traitlets.config import Config

from jupyterhub_efs_quota import setup
from jupyterhub_efs_quota.configure import TEMPLATES

OURS = SimpleNamespace(name="efs-quota", href="/services/efs-quota/")
OTHER = SimpleNamespace(name="other", href="/services/other/")


def bar(tmp_path, services, **settings):
    c = Config()
    setup(c, home_root=str(tmp_path), quota_control=str(tmp_path), **settings)
    (values,) = [c.JupyterHub.template_vars.to_dict()["update"]["efs_quota"]]
    template = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True).get_template(
        "efs-quota-bar.html"
    )
    return template.render(services=services, efs_quota=values).strip()


def test_the_bar_is_hidden_until_the_service_tells_the_figure(tmp_path):
    page = bar(tmp_path, [OTHER, OURS])
    assert page.count("<script") == 1 and " hidden>" in page
    assert 'src="/services/efs-quota/static/hub.js"' in page


@pytest.mark.parametrize(
    ("services", "settings"), [([OTHER], {}), ([OURS], {"show_on_hub_pages": False})]
)
def test_there_is_no_bar_for_who_has_no_service_or_where_it_is_switched_off(
    tmp_path, services, settings
):
    assert bar(tmp_path, services, **settings) == ""


@pytest.mark.parametrize(
    ("admin", "links"),
    [
        (True, {"overview": "Storage overview", "users": "Storage of all users"}),
        (False, {"users": "Storage of all users"}),
    ],
)
def test_the_admin_page_leads_to_the_overview_in_one_click_for_administrators(admin, links):
    hub = DictLoader({"templates/admin.html": "{% block main %}{% endblock main %}"})
    loader = ChoiceLoader([FileSystemLoader(TEMPLATES), hub])
    template = Environment(loader=loader, autoescape=True).get_template("admin.html")
    values = {"service": "efs-quota", "menu_text": "Storage"}
    user = SimpleNamespace(admin=admin)
    text = template.render(services=[OTHER, OURS], efs_quota=values, user=user)
    shown = {
        a["href"].removeprefix(OURS.href): a.text
        for a in BeautifulSoup(text, "html.parser").select("a")
    }
    assert shown == links

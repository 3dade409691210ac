"""The log of a service that the hub starts says which deployment it comes from."""

import logging

from traitlets.config import Config

from jupyterhub_efs_quota import setup
from jupyterhub_efs_quota.logs import JsonFormatter


def test_setup_hands_the_names_of_the_deployment_to_the_service(monkeypatch):
    monkeypatch.setenv("DEPLOYMENT_NAME", "roman")
    monkeypatch.setenv("ENVIRONMENT", "prod")
    monkeypatch.delenv("POD_NAME", raising=False)
    c = Config()
    c.JupyterHub.services = []
    setup(c)
    (service,) = c.JupyterHub.services
    assert "POD_NAME" not in service["environment"]
    line = JsonFormatter(service["environment"]).format(
        logging.LogRecord("n", logging.INFO, "f", 1, "message", (), None)
    )
    assert '"service": "roman", "env": "dmd-ops"' in line

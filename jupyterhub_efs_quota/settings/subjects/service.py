"""The service: its name, what it shows in the hub, its log, its end."""

from __future__ import annotations

from traitlets import Bool, Enum, HasTraits, Unicode


class ServiceSettings(HasTraits):
    """How the service is seen, and what it logs."""

    service_name = Unicode(
        "efs-quota", help="The service's name in the hub: its pages are at /services/NAME/."
    ).tag(config=True)
    menu_text = Unicode(
        "Storage", help="What the hub's Services menu and admin page call the pages."
    ).tag(config=True)
    show_on_hub_pages = Bool(
        True,
        help="""Show each user their own storage, as a bar, on the hub's home and spawn pages.

        And as a line in the progress of each spawn.""",
    ).tag(config=True)
    log_format = Enum(
        ["json", "console"],
        "json",
        help="The service's log: a JSON object a line, or lines for people.",
    ).tag(config=True)
    log_level = Enum(
        ["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"], "INFO", help="The least level logged."
    ).tag(config=True)
    exit_with_hub = Bool(
        True,
        help="""Whether the service ends when the process that started it is gone.

        False for a service that something else than the hub starts.""",
    ).tag(config=True)

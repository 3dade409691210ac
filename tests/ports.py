"""Free ports for what the tests start: hubs, services, databases. No two tests get the same.

A port that was merely free a moment ago may be given to somebody else before its server
listens, and several tests run at a time. So each port stays bound, by a socket of ours that
never listens: servers may listen there all the same (SO_REUSEADDR), but the kernel gives
the port to nobody else on this machine.
"""

import socket
import sys

_kept = []


def free_port():
    """A port on which only whoever is told of it will listen."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("", 0))
    _kept.append(kept)
    return kept.getsockname()[1]


def use_in_hubs():
    """Have the hubs of the tests take such ports too, for their proxies and servers."""
    from jupyterhub import utils
    from jupyterhub.tests import mocking  # noqa: F401, so that it is among the modules

    theirs = utils.random_port
    for name, module in list(sys.modules.items()):
        if name.startswith("jupyterhub.") and getattr(module, "random_port", None) is theirs:
            module.random_port = free_port

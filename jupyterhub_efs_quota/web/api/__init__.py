"""The JSON API below `{prefix}api/`: what it is (`contract.py`), and the handlers that answer."""

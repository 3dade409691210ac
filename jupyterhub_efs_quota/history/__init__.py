"""The history database: what was measured, judged, done and run. The only door to SQLAlchemy.

Memory, not authority: losing it loses history, never enforcement. `recorder.py` and
`events.py` are what the rest of the package hands things to; they import no database.
"""

"""Telling people: the one door through which mails go out."""

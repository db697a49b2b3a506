"""Errors that are the user's to mend."""

from __future__ import annotations


class UserError(Exception):
    """A mistake that the user can mend. Its message is one line; the command line prints it and exits with 2."""


class DataError(UserError):
    """A data set, archive or data folder is missing, damaged or not what it should be."""


def first_line(error: Exception | str) -> str:
    """The first line of an error or its text; the error's kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), "" if isinstance(error, str) else type(error).__name__)

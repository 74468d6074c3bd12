"""The one kind of error a user causes and can mend."""


class InputError(ValueError):
    """A user's mistake: its message is one sentence that names the thing, what was found and what to do.

    The command line prints the message without a traceback and exits with status 1.
    """

"""The one kind of error a user causes and can mend."""

_LONGEST = 2000  # characters of a sentence


class InputError(ValueError):
    """A user's mistake: its message is one sentence that names the thing, what was found and what to do.

    The command line prints the message without a traceback and exits with status 1. Whatever names and values it
    quotes, it is one line of printable characters.
    """

    def __init__(self, sentence: str):
        super().__init__(shortened(printable(sentence), _LONGEST))


def printable(text: str) -> str:
    """A text with every character escaped that would break the line, or steer the terminal, when printed."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def shortened(text: str, longest: int) -> str:
    """A text of at most `longest` characters, its middle left out where there are more."""
    return text if len(text) <= longest else f"{text[: longest // 2 - 2]}...{text[-(longest // 2 - 2) :]}"

"""Words for people who mistyped a name; pure."""

from collections.abc import Iterable

FEW = 40
"""Up to so many names are all shown where none is near."""


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return 'did you mean "x"?' for the nearest of words, or all of them where they are few.

    The nearest differs by a slip of the finger, or else begins with the word.
    """
    import difflib  # noqa: PLC0415 - only on the way to an error message

    choice = sorted(words)
    near = difflib.get_close_matches(word, choice, n=1)
    near = near or [one for one in choice if word and one.startswith(word)]
    if near:
        return f'did you mean "{near[0]}"?'
    return f"one of: {', '.join(choice)}" if 0 < len(choice) <= FEW else ""

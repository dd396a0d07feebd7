"""Files of a directory in which a running program writes."""

import contextlib


def contents(directory, pattern="**/*"):
    """[(path, bytes)] of its files: what goes away while it is looked at is left out."""
    found = []
    for path in sorted(directory.glob(pattern)):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                found.append((path, path.read_bytes()))
    return found

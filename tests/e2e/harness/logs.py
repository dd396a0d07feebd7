"""The program's log: a thread of its own writes it, so a line is there some time after what it tells of."""

import json


def records(text):
    """The JSON lines that are whole: of the last one only a part may have been written yet."""
    return [json.loads(line) for line in text.split("\n")[:-1] if line.startswith("{")]

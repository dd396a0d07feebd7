"""The program's log: a thread of its own writes it, so a line is there some time after what it tells of."""

import json

from . import waiting


def records(text):
    """The JSON lines that are whole: of the last one only a part may have been written yet."""
    return [json.loads(line) for line in text.split("\n")[:-1] if line.startswith("{")]


class Logged:
    """Of something whose log is `text()`. What must be there is waited for; that something is not there is worth saying
    only of a program that has ended, or behind a line that came later."""

    def text(self):
        raise NotImplementedError

    def records(self):
        """What the log has so far."""
        return records(self.text())

    def said(self, text):
        """Waits until the log has it."""
        waiting.until(lambda: text in self.text(), f"the log says {text!r}")

    def told(self, message, **members):
        """The lines with that message and these members, once there are some."""

        def found():
            own = [line for line in self.records() if line["msg"] == message]
            return [line for line in own if members.items() <= line.items()]

        return waiting.until(found, f"the log has a line {message!r} with {members}")

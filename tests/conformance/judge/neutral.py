"""What an answer or a request says, whatever dialect it is written in."""

import dataclasses
import json

# Why a model stopped; the words the recordings' readings use.
STOP, LENGTH, TOOL, FILTER, PAUSE, ERROR = "stop", "length", "tool_calls", "content_filter", "pause", "error"


@dataclasses.dataclass
class Tool:
    id: str | None
    name: str
    args: object  # JSON value; text of a custom tool
    custom: bool = False


@dataclasses.dataclass
class Answer:
    text: str = ""
    refusal: str | None = None
    reasoning: str = ""
    signatures: list = dataclasses.field(default_factory=list)  # texts, as they stand
    tools: list = dataclasses.field(default_factory=list)
    finish: str | None = None
    native: str | None = None
    stop_sequence: str | None = None
    usage: dict | None = None  # input, cached, written, output, reasoning
    choices: list = dataclasses.field(default_factory=list)  # texts, refusals among them, one a choice
    logprobs: int = 0  # tokens with logprobs
    citations: int = 0
    web: int = 0  # of them, those that name an address
    media: int = 0
    server_items: list = dataclasses.field(default_factory=list)
    blocks: list = dataclasses.field(default_factory=list)  # [kind, text or name] in the answer's order
    id: str | None = None
    model: str | None = None
    error: dict | None = None  # of an event inside a stream
    ended: bool = True  # a stream said that it is over
    events: int = 0
    problems: list = dataclasses.field(default_factory=list)  # breaches of the dialect's grammar

    def add(self, kind, value):
        """Appends to the order of blocks; neighbours of one kind, tools apart, are one block."""
        if kind != "tool" and self.blocks and self.blocks[-1][0] == kind:
            self.blocks[-1][1] += value
        else:
            self.blocks.append([kind, value])

    def add_text(self, text):
        if text:
            self.text += text
            self.add("text", text)

    def add_reasoning(self, text):
        if text:
            self.reasoning += text
            self.add("reasoning", text)

    def cite(self, citations, web):
        """Counts; `web` tells whether one names an address."""
        self.citations += len(citations)
        self.web += sum(bool(web(each)) for each in citations)

    def add_tool(self, tool):
        self.tools.append(tool)
        self.add("tool", tool.name)

    def expect(self, condition, problem):
        if not condition and problem not in self.problems:
            self.problems.append(problem)


def usage(received, cached, written, output, reasoning):
    return {"input": received, "cached": cached or 0, "written": written or 0, "output": output, "reasoning": reasoning}


def arguments(text):
    """Arguments as a JSON value. What does not parse stays visible."""
    if isinstance(text, (dict, list)):
        return text
    if text is None or text == "":
        return {}
    try:
        return json.loads(text)
    except ValueError:
        return {"__unparsed__": text}


def same_json(left, right):
    """Equal as JSON values: 1 is not 1.0 and not true."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_json(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same_json, left, right))
    return type(left) is type(right) and left == right

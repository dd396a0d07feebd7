"""What a request says, whatever dialect it is written in."""

import base64
import binascii
import dataclasses
import hashlib
import json
import re

DATA_URL = re.compile(r"^data:([^;,]*)((?:;[^,;]*)*),(.*)$", re.S)


@dataclasses.dataclass
class Part:
    kind: str  # text, image, audio, video, document, call, result, reasoning, other
    text: str = ""
    media: str = ""  # SHA-256 of the bytes, or the address
    media_type: str = ""
    id: str | None = None
    name: str | None = None
    args: object = None
    parts: list = dataclasses.field(default_factory=list)  # of a result
    error: bool = False
    signature: str | None = None


@dataclasses.dataclass
class Turn:
    role: str  # system, user, assistant
    parts: list


@dataclasses.dataclass
class Definition:
    name: str
    description: str
    schema: dict
    kind: str = "function"  # custom: free text; server: the provider's own


@dataclasses.dataclass
class Request:
    turns: list = dataclasses.field(default_factory=list)
    tools: list = dataclasses.field(default_factory=list)
    choice: str | None = None  # auto, none, required, named
    choice_name: str | None = None
    allowed: list | None = None
    parallel: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    stop: list = dataclasses.field(default_factory=list)
    seed: int | None = None
    format: str | None = None  # json_object, json_schema
    schema: dict | None = None
    reasoning: str | None = None  # on, adaptive (the model decides), off
    effort: str | None = None
    stream: bool = False

    def add(self, role, *parts):
        if parts:
            self.turns.append(Turn(role, list(parts)))

    def system(self):
        return [part.text for turn in self.turns if turn.role == "system" for part in turn.parts if part.text]

    def merged(self):
        """User and assistant turns, neighbours of one role joined, empty ones left out."""
        found = []
        for turn in self.turns:
            parts = [part for part in turn.parts if part.kind != "text" or part.text.strip()]
            if turn.role == "system" or not parts:
                continue
            if found and found[-1].role == turn.role:
                found[-1].parts += parts
            else:
                found.append(Turn(turn.role, list(parts)))
        return found

    def parts(self, kind):
        found = []
        for turn in self.turns:
            for part in turn.parts:
                found += [part] if part.kind == kind else []
                found += [inner for inner in part.parts if inner.kind == kind]
        return found


def text(value):
    return Part("text", text=value or "")


def decoded(text):
    """Base64's bytes, of either alphabet."""
    padded = text.replace("-", "+").replace("_", "/").replace("\n", "").rstrip("=")
    try:
        return base64.b64decode(padded + "=" * (-len(padded) % 4))
    except (binascii.Error, ValueError):
        return b"not base64"


def text_digest(value):
    """White space between the pieces of a text does not count."""
    value = "".join(value.split())
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def media(kind, source, media_type=""):
    """A part for a data: URL or an address."""
    if match := DATA_URL.match(source or ""):
        return encoded(kind, match[3], match[1])
    return Part(kind, media=source or "", media_type=media_type)


MAGIC = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"%PDF-": "application/pdf"}


def encoded(kind, data, media_type):
    """What the bytes are counts, whatever they are called."""
    raw = decoded(data)
    found = next((name for magic, name in MAGIC.items() if raw.startswith(magic)), media_type)
    words = raw.decode("utf-8", "replace") if (media_type or "").startswith("text/") else ""
    if words:
        return Part(kind, media=text_digest(words), media_type=found, text=words)
    return Part(kind, media=hashlib.sha256(raw).hexdigest(), media_type=found)


def kind_of(media_type):
    major = (media_type or "").partition("/")[0]
    return major if major in ("image", "audio", "video") else "document"


def arguments(value):
    if isinstance(value, str):
        try:
            return json.loads(value) if value.strip() else {}
        except ValueError:
            return {"__unparsed__": value}
    return {} if value is None else value

"""The recordings: what they are, how a gateway reaches each, what their provider is called in the configuration."""

import dataclasses
import functools
import json
import pathlib
import urllib.parse

CHAT = "openai_chat"
RESPONSES = "openai_responses"
ANTHROPIC = "anthropic"
GEMINI = "gemini"
BEDROCK = "bedrock"
COHERE = "cohere"
DIALECTS = (CHAT, RESPONSES, ANTHROPIC, GEMINI, BEDROCK, COHERE)

DIALECT_OF = {
    "openai_chat": CHAT,
    "openai_responses": RESPONSES,
    "anthropic_messages": ANTHROPIC,
    "gemini": GEMINI,
    "bedrock_converse": BEDROCK,
    "bedrock_invoke": ANTHROPIC,  # Claude's body in Bedrock's envelope
}
# What answers a conversation; counting and embedding have no family but the same protocol's.
CONVERSATIONS = {
    "chat",
    "responses",
    "messages",
    "generateContent",
    "streamGenerateContent",
    "converse",
    "converse-stream",
    "invoke",
    "invoke-with-response-stream",
}
VENDOR_HOSTS = {
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.x.ai": "xai",
    "openrouter.ai": "openrouter",
    "localhost:11434": "ollama",
    "ollama.com": "ollama",
    "localhost:8000": "vllm",
}
CONTENT_TYPES = {
    "sse": "text/event-stream; charset=utf-8",
    "aws_eventstream": "application/vnd.amazon.eventstream",
    "json": "application/json",
    "json_array": "application/json; charset=UTF-8",
    "text": "text/plain",
}
CREDENTIAL = "canary-upstream-credential-5f2e"


@dataclasses.dataclass
class Case:
    number: int
    entry: dict  # of index.json
    root: pathlib.Path

    @property
    def id(self):
        return self.entry["id"]

    @property
    def provider(self):
        return self.entry["provider"]

    @property
    def endpoint(self):
        return self.entry["endpoint"]

    @property
    def dialect(self):
        if self.invoke and "claude" not in self.entry["model"]:
            return BEDROCK  # Nova's own body is Converse's
        return DIALECT_OF.get(self.entry["dialect"])

    @property
    def streaming(self):
        return self.entry["streaming"]

    @property
    def wire(self):
        return self.entry["wire"]

    @property
    def status(self):
        return self.entry["status"]

    @property
    def features(self):
        return set(self.entry["features"])

    @property
    def recorded(self):
        """Real traffic whose reading the provider's own SDK shares. The rest shows robustness, not fidelity."""
        return self.entry["provenance"] == "recorded" and self.entry["sdk_check"] in ("ok", "not_run")

    @property
    def conversation(self):
        return self.endpoint in CONVERSATIONS and self.dialect is not None

    @property
    def invoke(self):
        return self.endpoint.startswith("invoke")

    @functools.cached_property
    def meta(self):
        return self._json("meta.json")

    @functools.cached_property
    def request(self):
        return self._json("request.json") if self.entry["request_available"] else None

    @functools.cached_property
    def expected(self):
        return self._json("expected.json")

    @functools.cached_property
    def response(self):
        return (self.root / self.entry["dir"] / self.entry["response_file"]).read_bytes()

    @property
    def headers(self):
        headers = dict(self.meta.get("response_headers") or {})
        headers.setdefault("content-type", CONTENT_TYPES[self.wire])
        return headers

    @property
    def model(self):
        """The provider's name of the model, as far as the recording tells."""
        return self.entry["model"] or (self.request or {}).get("model") or DEFAULT_MODELS[self.dialect]

    def _json(self, name):
        return json.loads((self.root / self.entry["dir"] / name).read_text(encoding="utf-8"))


DEFAULT_MODELS = {
    CHAT: "gpt-4.1",
    RESPONSES: "gpt-4.1",
    ANTHROPIC: "claude-sonnet-4-5",
    GEMINI: "gemini-2.5-flash",
    BEDROCK: "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    COHERE: "command-a-03-2025",
    None: "model",
}


def load(root):
    entries = json.loads((root / "index.json").read_text(encoding="utf-8"))["cases"]
    return [Case(number, entry, root) for number, entry in enumerate(entries)]


def connection(case, base):
    """(connection, model) of the configuration: the recording's provider at `base`, under the name case-<number>."""
    name = f"case-{case.number}"
    link = {"name": name, "endpoint": base, "api_key": CREDENTIAL}
    model = {"name": name, "connection": name, "remote": case.model}
    provider, path = case.provider, case.meta.get("path") or ""
    if case.endpoint in ("messages", "count_tokens"):
        link["provider"] = "anthropic"  # other vendors offer that API too
    elif provider == "vertex":
        link = vertex_connection(name, base)
    elif provider == "bedrock":
        link |= bedrock_credentials()
        del link["api_key"]
    elif provider == "azure":
        link["provider"] = "azure"
        link["api"] = "responses" if case.endpoint == "responses" else "chat"
        if "/deployments/" in path:
            model["deployment"] = urllib.parse.unquote(path.split("/deployments/")[1].split("/")[0])
        else:
            link["endpoint"] += "/openai/v1" if case.endpoint == "responses" else "/models"
    elif provider in ("openai", "openai_compat", "bedrock_mantle"):
        host = case.meta.get("host") or ""
        link["provider"] = "openai" if provider == "openai" else VENDOR_HOSTS.get(host, "openai-compatible")
        if case.dialect == RESPONSES:
            link["api"] = "responses"
    else:
        link["provider"] = provider
    return link, model


def vertex_connection(name, base):
    link = {"name": name, "provider": "vertex", "endpoint": base, "access_token": CREDENTIAL}
    return link | {"project": "p", "location": "l"}


def bedrock_credentials():
    return {
        "provider": "bedrock",
        "region": "us-east-1",
        "access_key_id": "AKIDCANARYUPSTREAM00",
        "secret_access_key": CREDENTIAL,
    }


# Providers of the targets that are no case of their own: requests (B), chains (C) and faults (F) go to them.
def target_connection(dialect, name, base):
    link = {"name": name, "endpoint": base, "api_key": CREDENTIAL}
    if dialect == CHAT:
        link |= {"provider": "openai", "api": "chat"}
    elif dialect == RESPONSES:
        link |= {"provider": "openai", "api": "responses"}
    elif dialect == GEMINI:
        link["provider"] = "google"
    elif dialect == BEDROCK:
        del link["api_key"]
        link |= bedrock_credentials()
    else:
        link["provider"] = dialect
    return link


# The models that requests of other dialects are sent to: one that reasons when told to, one that does not.
TARGET_MODELS = {
    CHAT: {"plain": "gpt-4.1", "reasoning": "gpt-5-mini"},
    RESPONSES: {"plain": "gpt-4.1", "reasoning": "gpt-5-mini"},
    ANTHROPIC: {"plain": "claude-sonnet-4-5", "reasoning": "claude-sonnet-4-5"},
    GEMINI: {"plain": "gemini-2.5-flash", "reasoning": "gemini-2.5-flash"},
    BEDROCK: {
        "plain": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "reasoning": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    },
    COHERE: {"plain": "command-a-03-2025", "reasoning": "command-a-reasoning-08-2025"},
}

# Models of every kind that a target dialect's table tells apart; varied requests go to them in turn.
VARIED_MODELS = {
    CHAT: "gpt-4o gpt-5 gpt-5.1 o3 o1-mini gpt-5-pro gpt-4.1-mini gpt-3.5-turbo unheard-of".split(),
    RESPONSES: "gpt-4o gpt-5 gpt-5.1 o3 gpt-5.6 gpt-5-pro gpt-5-codex unheard-of".split(),
    ANTHROPIC: "claude-3-haiku-20240307 claude-3-7-sonnet-latest claude-opus-4-1 claude-sonnet-4-5 claude-opus-4-6 "
               "claude-opus-4-7 claude-sonnet-5 claude-haiku-4-5 claude-unheard-of".split(),
    GEMINI: "gemini-2.0-flash gemini-2.5-pro gemini-2.5-flash-lite gemini-3-pro-preview gemini-3-flash-preview "
            "gemini-1.5-flash gemma-3-27b-it".split(),
    BEDROCK: "us.anthropic.claude-opus-4-7-v1:0 anthropic.claude-3-haiku-20240307-v1:0 us.amazon.nova-pro-v1:0 "
             "us.amazon.nova-2-lite-v1:0 us.meta.llama3-3-70b-instruct-v1:0 mistral.mistral-large-2402-v1:0 "
             "openai.gpt-oss-120b-1:0 us.deepseek.r1-v1:0 qwen.qwen3-32b-v1:0 cohere.command-r-v1:0".split(),
    COHERE: "command-a-03-2025 command-r7b-12-2024 command-a-reasoning-08-2025 command-a-vision-07-2025".split(),
}


def models_of(dialect):
    """{kind: the provider's name} of a target's slots."""
    varied = {f"varied-{number}": name for number, name in enumerate(VARIED_MODELS[dialect])}
    return TARGET_MODELS[dialect] | varied

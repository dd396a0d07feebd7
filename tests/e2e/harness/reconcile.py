"""What a recorded answer costs, by arithmetic of its own: from the provider's usage object and each API's convention of
what its counts contain. Nothing of the gateway is used."""

import json

# US dollars for a million tokens, each another, so that no two kinds can be taken for each other.
PRICES = {
    "input": "2",
    "cache_read": "0.3",
    "cache_write": "5",
    "cache_write_1h": "7",
    "output": "11",
    "reasoning": "13",
    "audio_input": "17",
    "image_input": "19",
    "audio_output": "23",
    "image_output": "29",
}
# A dollar a million tokens is a thousand nano-dollars a token.
NANO = {kind: round(float(usd) * 1000) for kind, usd in PRICES.items()}


def documents(body, content_type):
    """The JSON documents of an answer: one, or those of its events."""
    text = body.decode("utf-8", errors="replace")
    if "data:" in text and not text.lstrip().startswith(("{", "[")):
        found = []
        for event in text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
            data = "\n".join(line[5:].lstrip(" ") for line in event.split("\n") if line.startswith("data:"))
            if data.startswith("{"):
                found.append(json.loads(data))
        return found
    try:
        document = json.loads(text)
    except ValueError:
        return []
    return document if isinstance(document, list) else [document]


def last(docs, *paths):
    """The last value at one of the paths that is an object."""
    found = {}
    for doc in docs:
        for path in paths:
            value = doc
            for name in path:
                value = value.get(name) if isinstance(value, dict) else None
            if isinstance(value, dict):
                # Counts that come later replace those before, one by one.
                found = found | {key: count for key, count in value.items() if count is not None}
    return found


def count(usage, *path):
    for name in path:
        usage = usage.get(name) if isinstance(usage, dict) else None
    return usage if isinstance(usage, int) else 0


def split_openai(usage):
    """Prompt counts contain what came from the cache and went to it, but not where that is larger than they are (xAI on
    Azure). Completion counts contain the reasoning; where the total says otherwise (xAI), it stands beside them."""
    prompt = count(usage, "prompt_tokens") or count(usage, "input_tokens")
    output = count(usage, "completion_tokens") or count(usage, "output_tokens")
    details = [name for name in ("prompt_tokens_details", "input_tokens_details") if name in usage]
    cached = max([count(usage, name, "cached_tokens") for name in details] + [count(usage, "prompt_cache_hit_tokens")])
    written = max([count(usage, name, "cache_write_tokens") for name in details] + [0])
    reasoning = max(
        count(usage, "completion_tokens_details", "reasoning_tokens"),
        count(usage, "output_tokens_details", "reasoning_tokens"),
    )
    if reasoning and count(usage, "total_tokens") == prompt + output + reasoning:
        output += reasoning
    audio = max(count(usage, name, "audio_tokens") for name in details) if details else 0
    if audio and count(usage, "total_tokens") == prompt + output + audio:
        prompt += audio  # Mistral: sound stands beside the prompt
    if cached + written <= prompt:
        prompt -= cached + written
    return {
        "input": prompt,
        "cache_read": cached,
        "cache_write": written,
        "output": output - reasoning,
        "reasoning": reasoning,
    }


def split_anthropic(usage):
    """Prompt counts stand side by side; the output contains the thinking."""
    written = count(usage, "cache_creation_input_tokens")
    hour = count(usage, "cache_creation", "ephemeral_1h_input_tokens")
    thinking = count(usage, "output_tokens_details", "thinking_tokens")
    return {
        "input": count(usage, "input_tokens"),
        "cache_read": count(usage, "cache_read_input_tokens"),
        "cache_write": written - hour,
        "cache_write_1h": hour,
        "output": count(usage, "output_tokens") - thinking,
        "reasoning": thinking,
    }


def split_gemini(usage):
    """The prompt's count contains the cached one; thoughts stand beside candidates, and tools' results beside the
    prompt."""
    cached = count(usage, "cachedContentTokenCount")
    thoughts = count(usage, "thoughtsTokenCount")
    return {
        "input": count(usage, "promptTokenCount") + count(usage, "toolUsePromptTokenCount") - cached,
        "cache_read": cached,
        "output": count(usage, "candidatesTokenCount"),
        "reasoning": thoughts,
    }


def split_bedrock(usage):
    """Prompt counts stand side by side; what was written is listed by how long it is kept."""
    written = count(usage, "cacheWriteInputTokens")
    hour = sum(entry["inputTokens"] for entry in usage.get("cacheDetails") or [] if entry["ttl"] == "1h")
    return {
        "input": count(usage, "inputTokens"),
        "cache_read": count(usage, "cacheReadInputTokens"),
        "cache_write": written - hour,
        "cache_write_1h": hour,
        "output": count(usage, "outputTokens"),
    }


def media(usage):
    """Tokens of sound and pictures, by kind: parts of input and output, without those from the cache."""
    found = {}
    for kind, names in {
        "input": ("prompt_tokens_details", "input_tokens_details", "input_token_details"),
        "output": ("completion_tokens_details", "output_tokens_details", "output_token_details"),
    }.items():
        for medium in ("audio", "image"):
            found[f"{medium}_{kind}"] = max(count(usage, name, f"{medium}_tokens") for name in names)
    for kind, name in {"input": "promptTokensDetails", "output": "candidatesTokensDetails"}.items():
        for entry in usage.get(name) or []:
            if entry.get("modality") in ("AUDIO", "IMAGE"):
                found[f"{entry['modality'].lower()}_{kind}"] = entry.get("tokenCount", 0)
    for entry in usage.get("cacheTokensDetails") or []:
        if entry.get("modality") in ("AUDIO", "IMAGE"):
            name = f"{entry['modality'].lower()}_input"
            found[name] = max(0, found[name] - entry.get("tokenCount", 0))
    return found


def apart(counts, usage):
    """The split with its media taken out of input and output, no more than there is."""
    for name, tokens in media(usage).items():
        whole = name.split("_")[1]
        tokens = min(tokens, counts[whole])
        counts |= {name: tokens, whole: counts[whole] - tokens}
    return counts


def cost(endpoint, body, content_type=""):
    """Nano-dollars of an answer, or None where it says nothing of its usage."""
    docs = [doc for doc in documents(body, content_type) if isinstance(doc, dict)]
    if endpoint == "messages":
        usage, split = last(docs, ("usage",), ("message", "usage")), split_anthropic
    elif endpoint == "converse":
        usage, split = last(docs, ("usage",)), split_bedrock
    elif endpoint in ("chat", "responses"):
        usage, split = last(docs, ("usage",), ("response", "usage")), split_openai
    else:
        usage, split = last(docs, ("usageMetadata",)), split_gemini
    counts = apart(split(usage), usage)
    # A usage object may say everything but how much.
    return sum(tokens * NANO[kind] for kind, tokens in counts.items()) if any(counts.values()) else None

"""What a client said beyond what the neutral form holds: every such member must reach the provider under some name, or
stand in the warnings. Findings are texts."""

import json

import cases as recordings

from .requests.gemini import camel

# Members that the neutral form reads, or that ask nothing of a provider of another dialect.
READ = {
    recordings.CHAT: "messages model stream stream_options reasoning tools tool_choice functions function_call "
                     "max_tokens max_completion_tokens temperature top_p seed stop response_format reasoning_effort "
                     "parallel_tool_calls n",
    recordings.RESPONSES: "input instructions model stream stream_options tools tool_choice max_output_tokens "
                          "temperature top_p text reasoning parallel_tool_calls include store previous_response_id "
                          "conversation background truncation",
    recordings.ANTHROPIC: "messages system model stream tools tool_choice max_tokens temperature top_p top_k "
                          "stop_sequences thinking output_config output_format",
    recordings.GEMINI: "contents systemInstruction tools toolConfig generationConfig",
    recordings.BEDROCK: "messages system toolConfig inferenceConfig additionalModelRequestFields outputConfig",
    recordings.COHERE: "messages model stream tools tool_choice max_tokens temperature p k seed stop_sequences "
                       "response_format thinking documents",
}
INNER = {
    "generationConfig": "maxOutputTokens temperature topP topK seed stopSequences responseMimeType responseSchema "
                        "responseJsonSchema thinkingConfig candidateCount",
    "inferenceConfig": "maxTokens temperature topP topK stopSequences",
    "additionalModelRequestFields": "thinking reasoning_config reasoningConfig reasoning_effort output_config top_k "
                                    "tool_choice anthropic_beta inferenceConfig",
}
# Nothing asked for, or what every model does anyway.
EMPTY = (None, [], {}, "", False, ["TEXT"], "default", "auto")


def said(dialect, body):
    """(member, value) of what no reading covers."""
    read = READ[dialect].split()
    for name, value in body.items():
        key = camel(name) if dialect == recordings.GEMINI else name
        if key in INNER and isinstance(value, dict):
            inner = INNER[key].split()
            yield from ((camel(each) if dialect == recordings.GEMINI else each, told) for each, told in value.items()
                        if (camel(each) if dialect == recordings.GEMINI else each) not in inner)
        elif key not in read:
            yield key, value


def words(name):
    """A name in the spellings of all dialects."""
    snake = "".join("_" + each.lower() if each.isupper() else each for each in name)
    return {name, snake, camel(snake)} | ({"cachePoint"} if name == "cache_control" else set())


def silent(dialect, body, sent, warnings):
    text = json.dumps(sent)
    return [f"{name} is neither sent nor in the warnings" for name, value in said(dialect, body)
            if value not in EMPTY and not any(each in warnings or f'"{each}"' in text for each in words(name))
            and not carried(value, sent)]


def carried(value, sent):
    """Under another name; of several members one by one."""
    if isinstance(value, dict) and value:
        return all(carried(each, sent) for each in value.values())
    if isinstance(sent, dict):
        return any(value == each or carried(value, each) for each in sent.values())
    return isinstance(sent, list) and any(value == each or carried(value, each) for each in sent)

"""Error answers: is this the dialect's own envelope, and which class would its SDK raise."""

import json
import re

import cases as recordings

GOOGLE_STATUS = {
    400: {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"},
    401: {"UNAUTHENTICATED"},
    403: {"PERMISSION_DENIED"},
    404: {"NOT_FOUND"},
    409: {"ABORTED", "ALREADY_EXISTS"},
    429: {"RESOURCE_EXHAUSTED"},
    499: {"CANCELLED"},
    500: {"INTERNAL", "UNKNOWN", "DATA_LOSS"},
    501: {"UNIMPLEMENTED"},
    503: {"UNAVAILABLE"},
    504: {"DEADLINE_EXCEEDED"},
}
ANTHROPIC_TYPES = {
    400: {"invalid_request_error"},
    401: {"authentication_error"},
    402: {"billing_error"},
    403: {"permission_error"},
    404: {"not_found_error"},
    413: {"request_too_large"},
    422: {"invalid_request_error"},
    429: {"rate_limit_error"},
    500: {"api_error"},
    504: {"timeout_error", "api_error"},
    529: {"overloaded_error"},
}


def openai(document, status, problems):
    error = document.get("error")
    if not isinstance(error, dict):
        problems.append("no error object")
        return ""
    absent = [name for name in ("message", "type", "param", "code") if name not in error]
    if absent:
        problems.append(f"error without {', '.join(absent)}")
    if not isinstance(error.get("type"), str):
        problems.append("error.type is no text")
    return error.get("message")


def anthropic(document, status, problems):
    if document.get("type") != "error" or not isinstance(document.get("error"), dict):
        problems.append("not Anthropic's error envelope")
        return ""
    kind = document["error"].get("type")
    if status in ANTHROPIC_TYPES and kind not in ANTHROPIC_TYPES[status]:
        problems.append(f"type {kind} with status {status}")
    return document["error"].get("message")


def gemini(document, status, problems):
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        problems.append("not Google's error envelope")
        return ""
    if error.get("code") != status:
        problems.append(f"error.code {error.get('code')} with status {status}")
    if status in GOOGLE_STATUS and error.get("status") not in GOOGLE_STATUS[status]:
        problems.append(f"error.status {error.get('status')} with status {status}")
    return error.get("message")


def bedrock(document, status, problems):
    message = document.get("message") or document.get("Message")
    if not message:
        problems.append("no message")
    return message


def cohere(document, status, problems):
    if not isinstance(document.get("message"), str):
        problems.append("no message")
    return document.get("message")


READERS = {
    recordings.CHAT: openai,
    recordings.RESPONSES: openai,
    recordings.ANTHROPIC: anthropic,
    recordings.GEMINI: gemini,
    recordings.BEDROCK: bedrock,
    recordings.COHERE: cohere,
}


def read(dialect, answer):
    """(message, problems) of an error answer."""
    problems = []
    if "json" not in answer.content_type:
        problems.append(f"content-type {answer.content_type!r}")
    try:
        document = json.loads(answer.body)
    except ValueError:
        return "", [*problems, f"not JSON: {answer.text()[:200]!r}"]
    if not isinstance(document, (dict, list)):
        return "", [*problems, "no object"]
    if dialect == recordings.BEDROCK and not answer.headers.get("x-amzn-errortype"):
        problems.append("no x-amzn-errortype header")
    message = READERS[dialect](document, answer.status, problems)
    if not message:
        problems.append("no message")
    return message or "", problems


MEMBER = re.compile(r"\b(messages|contents|input|tools|system|n|model|file|text|generationConfig|inferenceConfig|"
                    r"toolConfig|conversation|previous_response_id)\b[\w.\[\]]*")


def names_member(dialect, answer, message):
    """Whether a refusal of the gateway's own says which member of the request is at fault."""
    if dialect in (recordings.CHAT, recordings.RESPONSES):
        return bool(json.loads(answer.body)["error"].get("param"))
    return MEMBER.search(message) is not None

"""The providers' own Python SDKs against the gateway: what they raise, and what they make of an answer. Blocking; any
thread."""

import functools
import threading

import cases as recordings
from wire.gateway import CLIENT_KEY

CHAT, RESPONSES, ANTHROPIC = recordings.CHAT, recordings.RESPONSES, recordings.ANTHROPIC
GEMINI, BEDROCK, COHERE = recordings.GEMINI, recordings.BEDROCK, recordings.COHERE
CLIENTS = recordings.DIALECTS
SECONDS = 60
ONCE = {"max_retries": 0}  # Cohere's SDK would wait as long as Retry-After says

OPENAI_CLASSES = {
    "bad_request": {"BadRequestError", "UnprocessableEntityError"},
    "context": {"BadRequestError"},
    "permission": {"PermissionDeniedError"},
    "not_found": {"NotFoundError", "BadRequestError"},
    "rate_limit": {"RateLimitError"},
    "overloaded": {"InternalServerError", "ServiceUnavailableError", "OverloadedError"},
    "server": {"InternalServerError"},
}
# The class each SDK raises for each kind; a kind without one is not judged.
EXPECTED = {
    CHAT: OPENAI_CLASSES,
    RESPONSES: OPENAI_CLASSES,
    ANTHROPIC: OPENAI_CLASSES
    | {"too_large": {"RequestTooLargeError"}, "server": {"InternalServerError", "ServiceUnavailableError"}},
    GEMINI: {
        "bad_request": {"ClientError"},
        "context": {"ClientError"},
        "permission": {"ClientError"},
        "not_found": {"ClientError"},
        "rate_limit": {"ClientError"},
        "overloaded": {"ServerError"},
        "server": {"ServerError"},
    },
    BEDROCK: {
        "bad_request": {"ValidationException"},
        "context": {"ValidationException"},
        "permission": {"AccessDeniedException"},
        "not_found": {"ValidationException", "ResourceNotFoundException"},
        "rate_limit": {"ThrottlingException"},
        "overloaded": {"ServiceUnavailableException"},
        "server": {"InternalServerException", "ServiceUnavailableException", "ModelErrorException"},
    },
    COHERE: {
        "bad_request": {"BadRequestError", "UnprocessableEntityError"},
        "context": {"BadRequestError"},
        "permission": {"ForbiddenError"},
        "not_found": {"NotFoundError"},
        "rate_limit": {"TooManyRequestsError"},
        "overloaded": {"ServiceUnavailableError", "ApiError"},  # it has no class for 502 and 529
        "server": {"InternalServerError", "ServiceUnavailableError", "ApiError"},
    },
}


# Each client is made once: one that nobody holds closes itself, also under the call it was made for.
MAKING = threading.Lock()


def once(make):
    kept = functools.cache(make)

    @functools.wraps(make)
    def locked(port):
        with MAKING:
            return kept(port)

    return locked


def url(port):
    return f"http://127.0.0.1:{port}"


@once
def openai_client(port):
    import openai

    return openai.OpenAI(base_url=url(port) + "/v1", api_key=CLIENT_KEY, max_retries=0, timeout=SECONDS)


@once
def anthropic_client(port):
    import anthropic

    return anthropic.Anthropic(base_url=url(port), api_key=CLIENT_KEY, max_retries=0, timeout=SECONDS)


@once
def gemini_client(port):
    from google import genai

    return genai.Client(api_key=CLIENT_KEY, http_options={"base_url": url(port), "timeout": SECONDS * 1000})


@once
def bedrock_client(port):
    import boto3
    import botocore.config

    settings = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=SECONDS)
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=url(port),
        region_name="us-east-1",
        aws_access_key_id=CLIENT_KEY,
        aws_secret_access_key=CLIENT_KEY,
        config=settings,
    )


@once
def cohere_client(port):
    import cohere

    return cohere.ClientV2(base_url=url(port), api_key=CLIENT_KEY, timeout=SECONDS)


def send(dialect, port, model):
    """One small call, not streamed; the SDK's answer."""
    text = "Say something."
    message = {"role": "user", "content": text}
    if dialect == CHAT:
        return openai_client(port).chat.completions.create(model=model, messages=[message])
    if dialect == RESPONSES:
        return openai_client(port).responses.create(model=model, input=text)
    if dialect == ANTHROPIC:
        return anthropic_client(port).messages.create(model=model, max_tokens=64, messages=[message])
    if dialect == GEMINI:
        return gemini_client(port).models.generate_content(model=model, contents=text)
    if dialect == BEDROCK:
        return bedrock_client(port).converse(modelId=model, messages=[{"role": "user", "content": [{"text": text}]}])
    return cohere_client(port).chat(model=model, messages=[message], request_options=ONCE)


def failure(dialect, port, model):
    """The exception that the SDK raises, None if it raises none."""
    try:
        send(dialect, port, model)
    except Exception as error:
        return error
    return None

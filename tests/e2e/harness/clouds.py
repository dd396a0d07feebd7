"""A canned cloud on threads: Amazon Bedrock's runtime, Vertex AI with its token endpoint. It judges credentials as the
real ones do (signatures with botocore's own code) and keeps what it was sent."""

import base64
import dataclasses
import http.server
import json
import re
import struct
import threading
import urllib.parse
import zlib

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from . import canned

REGION = "eu-north-1"
ACCESS_KEY_ID = "AKIDUPSTREAM"
SECRET_ACCESS_KEY = "canary-aws-secret-of-the-gateway"
SESSION_TOKEN = "canary-aws-session-token"
BEDROCK_API_KEY = "canary-bedrock-api-key"

SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
    r"SignedHeaders=([^,]+), Signature=(\w{64})"
)


@dataclasses.dataclass
class Request:
    path: str
    headers: dict  # lower-case names
    body: bytes

    def json(self):
        return json.loads(self.body)


def frame(headers, payload):
    """A message of an AWS event stream."""
    block = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + payload
    return message + struct.pack(">I", zlib.crc32(message))


def event(kind, content):
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps(content).encode())


def chunk(content):
    return event("chunk", {"bytes": base64.b64encode(json.dumps(content).encode()).decode(), "p": "abcdefgh"})


MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "pong"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 5, "output_tokens": 2},
}
MESSAGE_EVENTS = [
    {"type": "message_start", "message": MESSAGE | {"content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "pong"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]
PONG = {"index": 0, "delta": {"role": "assistant", "content": "pong"}, "finish_reason": None}
COMPLETION = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}
USAGE = {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}
CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "pong"}]}},
    "stopReason": "end_turn",
    "usage": USAGE,
    "metrics": {"latencyMs": 4},
}
CONVERSE_EVENTS = [
    event("messageStart", {"role": "assistant", "p": "ab"}),
    event("contentBlockDelta", {"delta": {"text": "po"}, "contentBlockIndex": 0, "p": "abc"}),
    event("contentBlockDelta", {"delta": {"text": "ng"}, "contentBlockIndex": 0, "p": "a"}),
    event("contentBlockStop", {"contentBlockIndex": 0}),
    event("messageStop", {"stopReason": "end_turn"}),
    event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 4}}),
]
# Nova's own by InvokeModel: Converse's, without its frames.
NOVA_EVENTS = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"delta": {"text": "po"}, "contentBlockIndex": 0}},
    {"contentBlockDelta": {"delta": {"text": "ng"}, "contentBlockIndex": 0}},
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {"messageStop": {"stopReason": "end_turn"}},
    {"metadata": {"usage": USAGE, "metrics": {}, "trace": {}}},
]
GENERATED = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "pong"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 1, "totalTokenCount": 5},
}


def messages(body):
    """What Anthropic answers, for canned.Canned."""
    if body.get("stream"):
        return 200, canned.named_events(MESSAGE_EVENTS), canned.EVENT_STREAM
    return 200, MESSAGE


def completions(body):
    """What OpenAI answers to a request of chat completions."""
    if body.get("stream"):
        end = {"index": 0, "delta": {}, "finish_reason": "stop"}
        return 200, canned.chat_events([PONG, end]), canned.EVENT_STREAM
    return 200, COMPLETION


def signature_fault(request, method, body):
    """What AWS would say of a signed request; None if it is right."""
    match = SIGNED.fullmatch(request.headers.get("authorization", ""))
    if not match:
        return "IncompleteSignatureException"
    key, date, region, service, names, signature = match.groups()
    if key != ACCESS_KEY_ID or (region, service) not in [(REGION, "bedrock"), (REGION, "bedrock-mantle")]:
        return "UnrecognizedClientException"
    signed = names.split(";")
    own = [name for name in request.headers if name.startswith("x-amz-")]
    if not {"host", "x-amz-date", *own} <= set(signed) or request.headers["x-amz-date"][:8] != date:
        return "InvalidSignatureException"
    token = request.headers.get("x-amz-security-token")
    if token not in (None, SESSION_TOKEN):
        return "UnrecognizedClientException"
    again = botocore.awsrequest.AWSRequest(
        method=method,
        url=f"http://{request.headers['host']}{request.path}",
        data=body,
        headers={name: request.headers[name] for name in signed if name != "host"},
    )
    again.context["timestamp"] = request.headers["x-amz-date"]
    signer = botocore.auth.SigV4Auth(
        botocore.credentials.Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY), service, region
    )
    expected = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    return None if expected == signature else "InvalidSignatureException"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        cloud = self.server.cloud
        cloud.requests.append(request)
        if self.path == "/token":
            return self.answer(200, cloud.new_token(urllib.parse.parse_qs(body.decode())))
        if self.path.startswith("/model/"):
            return self.bedrock(request)
        if "/projects/" in self.path:
            return self.vertex(request)
        return self.mantle(request)

    def answer(self, status, content, headers=()):
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def stream(self, content_type, pieces, cut=False):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        if cut:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def refuse(self, status, kind):
        self.answer(status, {"message": f"refused: {kind}"}, [("x-amzn-errortype", kind + ":http://internal/")])

    def aws_fault(self, request):
        if request.headers.get("authorization") == f"Bearer {BEDROCK_API_KEY}":
            return None
        return signature_fault(request, "POST", request.body)

    def bedrock(self, request):
        if fault := self.aws_fault(request):
            return self.refuse(403, fault)
        model, operation = self.path.removeprefix("/model/").rsplit("/", 1)
        frames = "application/vnd.amazon.eventstream"
        novas = operation.startswith("invoke") and request.json().get("schemaVersion") == "messages-v1"
        if model == "throttled":
            return self.refuse(429, "ThrottlingException")
        if operation == "converse":
            return self.answer(200, CONVERSE, [("x-amzn-requestid", "upstream-id")])
        if operation == "converse-stream":
            cut = model == "cut"
            return self.stream(frames, CONVERSE_EVENTS[:2] if cut else CONVERSE_EVENTS, cut)
        if operation == "invoke":
            return self.answer(200, CONVERSE if novas else MESSAGE)
        if operation == "invoke-with-response-stream":
            events = NOVA_EVENTS if novas else MESSAGE_EVENTS
            return self.stream(frames, [chunk(each) for each in (events[:3] if model == "cut" else events)])
        if operation == "count-tokens":
            return self.answer(200, {"inputTokens": 9})
        return self.refuse(404, "ResourceNotFoundException")

    def mantle(self, request):
        if fault := self.aws_fault(request):
            return self.answer(403, {"error": {"message": fault, "type": fault, "code": None, "param": None}})
        choice = {"index": 0, "message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}
        return self.answer(
            200, {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        )

    def vertex(self, request):
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.server.cloud.tokens:
            error = {"code": 401, "message": "invalid authentication credentials", "status": "UNAUTHENTICATED"}
            return self.answer(401, {"error": error})
        if self.path.endswith(":streamRawPredict"):
            pieces = [canned.named_events([each]) for each in MESSAGE_EVENTS]
            return self.stream("text/event-stream", pieces)
        if self.path.endswith("count-tokens:rawPredict"):
            return self.answer(200, {"input_tokens": 9})
        return self.answer(200, MESSAGE if "/anthropic/" in self.path else GENERATED)


class Cloud:
    """Thread-safe to read: `requests`, `grants`. `tokens` are those that are valid now."""

    def __init__(self):
        self.requests = []
        self.grants = []  # the forms that tokens were asked for with
        self.tokens = set()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.cloud = self
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def new_token(self, form):
        self.grants.append(form)
        token = f"canary-token-{len(self.grants)}"
        self.tokens.add(token)
        return {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}

    def last(self, path_part):
        return [request for request in self.requests if path_part in request.path][-1]

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def bedrock(self, **more):
        """A connection to its Bedrock."""
        return {"provider": "bedrock", "endpoint": self.url, "region": REGION, "api_key": BEDROCK_API_KEY} | more


def serving(scope="module"):
    """A fixture: a cloud for the tests of a module, or for each."""

    @pytest.fixture(scope=scope)
    def running():
        cloud = Cloud()
        yield cloud
        cloud.stop()

    return running

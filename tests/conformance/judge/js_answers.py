"""Answers as the JavaScript SDKs give them to a program, written back as bytes that the decoders read. Blocking."""

import json
import os
import subprocess

import cases as recordings
from judge import asks
from judge.sdk_answers import encode
from wire import frames
from wire.gateway import CLIENT_KEY, ROOT

PACKAGES = ROOT / "build" / "e2e-js"
NODE = ROOT / "build" / "venv" / "bin" / "node"
LOADER = ROOT / "tests" / "e2e" / "js" / "load.mjs"
SCRIPT = "../../conformance/js/ask"
CLIENTS = tuple(each for each in recordings.DIALECTS if each != recordings.COHERE)
SECONDS = 300


def question(number, client, model, stream, names, thinking):
    body = asks.SMALLEST[client](list(dict.fromkeys(names)), thinking)
    if client == recordings.CHAT and stream:
        body["stream_options"] = {"include_usage": True}
    return {"id": number, "client": client, "model": model, "stream": stream, "body": body}


def ask(port, questions):
    """id → {answer} or {events} or {error}"""
    result = subprocess.run(
        [NODE, LOADER, SCRIPT],
        cwd=PACKAGES,
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=dict(os.environ) | {"GATEWAY_URL": f"http://127.0.0.1:{port}", "GATEWAY_KEY": CLIENT_KEY},
    )
    found = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    if len(found) != len(questions):
        raise RuntimeError(f"{len(found)} of {len(questions)} answers: {result.stderr[-2000:]}")
    return {each["id"]: each for each in found}


def bytes_of(client, outcome):
    """(bytes for the decoders, whether they are a stream)"""
    if "answer" in outcome:
        return encode(outcome["answer"]), False
    events = outcome["events"]
    if client == recordings.BEDROCK:
        return b"".join(aws(event) for event in events), True
    lines = [(f"event: {event['type']}\n" if "type" in event else "").encode() + b"data: " + encode(event) + b"\n\n"
             for event in events]
    return b"".join(lines) + (b"data: [DONE]\n\n" if client == recordings.CHAT else b""), True


def aws(event):
    [(name, data)] = event.items()
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frames.frame(headers, encode(data))

"""Readers: what a request of each dialect says."""

import cases as recordings

from . import anthropic, bedrock, cohere, gemini, openai_chat, openai_responses

READERS = {
    recordings.CHAT: openai_chat.read,
    recordings.RESPONSES: openai_responses.read,
    recordings.ANTHROPIC: anthropic.read,
    recordings.GEMINI: gemini.read,
    recordings.BEDROCK: bedrock.read,
    recordings.COHERE: cohere.read,
}


def read(dialect, body):
    return READERS[dialect](body)

"""Clients that need more than an address and a key, made as an application would make them."""

import anthropic
import boto3
import botocore.config


def bedrock_runtime(url, key):
    """AWS's client, which signs with the virtual key as access key id and as secret. It tries once."""
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key=key,
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )


def anthropic_vertex(url, key):
    """Anthropic's client for Claude on Vertex AI, which gets the key in the place of Google's token. It tries once."""
    return anthropic.AnthropicVertex(
        base_url=url + "/v1", access_token=key, project_id="its-own", region="europe-west4", max_retries=0, timeout=60
    )

#!/usr/bin/env python3
"""Checks what the Responses codec writes against OpenAI's own schemas.

  tests/schemas/openai_responses.py build/dev/src/dialects/dialects_test

Runs the tests of the codec, which write a sample a line (LLMGW_SCHEMA_SAMPLES), and validates each. The specification
is $LLMGW_CASES/_specs/openai-openapi.json.gz or ../shared/cases/...; without it, or without jsonschema, the check is
skipped (exit status 0 and a line that says so).
"""

import collections
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = pathlib.Path(os.environ.get("LLMGW_CASES", ROOT.parent / "shared" / "cases"))
SPEC = CASES / "_specs" / "openai-openapi.json.gz"
TESTS = "Recorded*:Responses*"
RUN_SECONDS_MAX = 300  # under sanitizers the tests take some ten
SHOWN_MAX = 20  # more of the same helps nobody
# Items of built-in tools pass as the provider wrote them, which is not always what the schemas say.
OWN_ITEMS = {
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "reasoning",
    "image_generation_call",
}


def skip(why):
    print(f"skipped: {why}")
    sys.exit(0)


def without_ambiguity(schema):
    """oneOf as anyOf: some alternatives of the specification overlap (a message without a type is two of them)."""
    if isinstance(schema, dict):
        return {"anyOf" if key == "oneOf" else key: without_ambiguity(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [without_ambiguity(value) for value in schema]
    return schema


def schemas():
    return without_ambiguity(json.loads(gzip.decompress(SPEC.read_bytes()))["components"]["schemas"])


def is_own(item):
    return item.get("type", "message") in OWN_ITEMS


def comparable(schema, value):
    """Without what is not ours; None if nothing is left."""
    if "item" in value and not is_own(value["item"]):
        return None
    for container, key in ((value, "input"), (value, "output"), (value.get("response", {}), "output")):
        if isinstance(container.get(key), list):
            container[key] = [item for item in container[key] if is_own(item)]
    if isinstance(value.get("data"), list):
        value["data"] = [item for item in value["data"] if is_own(item)]
    if schema == "CreateResponse":
        # The service takes reasoning without the id that its schema wants, and clients that store nothing leave it out.
        for item in value["input"]:
            if isinstance(item, dict) and item.get("type") == "reasoning":
                item.setdefault("id", "rs_0")
    return value


class Checker:
    def __init__(self, components):
        import jsonschema
        import referencing

        resource = referencing.Resource(
            contents={"components": {"schemas": components}}, specification=referencing.jsonschema.DRAFT202012
        )
        self.registry = referencing.Registry().with_resource("spec:", resource)
        self.validator = jsonschema.Draft202012Validator
        self.components = components
        self.events = self.by_type("ResponseStreamEvent")
        self.compiled = {}

    def by_type(self, union):
        found = {}
        for alternative in self.components[union]["anyOf"]:
            name = alternative["$ref"].rsplit("/", 1)[-1]
            for value in self.components[name]["properties"]["type"].get("enum", []):
                found[value] = name
        return found

    def errors(self, schema, value):
        if schema == "ResponseStreamEvent":
            schema = self.events.get(value.get("type"))
            if schema is None:
                yield f"no such event: {value.get('type')}"
                return
        if schema not in self.compiled:
            reference = {"$ref": f"spec:#/components/schemas/{schema}"}
            self.compiled[schema] = self.validator(reference, registry=self.registry)
        for error in self.compiled[schema].iter_errors(value):
            yield describe(error)


def describe(error):
    """The alternative that fits best says what is wrong."""
    import jsonschema

    best = jsonschema.exceptions.best_match([error])
    place = "/".join(str(step) for step in (best or error).absolute_path)
    return f"{place}: {(best or error).message[:300]}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not SPEC.exists():
        skip(f"no specification at {SPEC}")
    try:
        import jsonschema  # noqa: F401
        import referencing.jsonschema  # noqa: F401
    except ImportError:
        skip("python3-jsonschema is not installed")
    checker = Checker(schemas())
    with tempfile.TemporaryDirectory() as folder:
        samples = pathlib.Path(folder) / "samples.jsonl"
        subprocess.run(
            [sys.argv[1], f"--gtest_filter={TESTS}", "--gtest_brief=1"],
            env={**os.environ, "LLMGW_SCHEMA_SAMPLES": str(samples)},
            cwd=ROOT,
            check=True,
            timeout=RUN_SECONDS_MAX,
        )
        lines = samples.read_text(encoding="utf-8", errors="surrogatepass").splitlines()
    if not lines:
        sys.exit("the tests wrote no samples")
    wrong = collections.Counter()
    shown = {}
    for line in lines:
        sample = json.loads(line)
        value = comparable(sample["schema"], sample["value"])
        if value is None:
            continue
        for error in checker.errors(sample["schema"], value):
            key = (sample["schema"], sample["value"].get("type", ""), error)
            wrong[key] += 1
            shown.setdefault(key, sample["id"])
    for key, count in wrong.most_common(SHOWN_MAX):
        print(f"{count} x {key[0]} {key[1]}: {key[2]} (first: {shown[key]})")
    print(f"{len(lines)} samples, {sum(wrong.values())} errors")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

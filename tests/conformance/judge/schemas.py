"""Whether two JSON Schemas take the same: instances made from the first are tried on the second."""

import copy
import random

import jsonschema

INSTANCES = 20
DEPTH_MAX = 6
SEED = 20260821


def normal(schema, depth=0):
    """Google's OpenAPI dialect as JSON Schema: type names in lower case, nullable as a type."""
    if isinstance(schema, list):
        return [normal(each, depth + 1) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for key, value in schema.items():
        if key in ("properties", "$defs", "definitions") and isinstance(value, dict):
            found[key] = {name: normal(each, depth + 1) for name, each in value.items()}
        elif key == "type" and isinstance(value, str):
            found[key] = value.lower()
        elif key in ("enum", "const", "default", "example", "examples", "required"):
            found[key] = value
        elif key in ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"):
            found[key] = int(value)
        elif key not in ("nullable", "propertyOrdering", "title", "description", "strict"):
            found[key] = normal(value, depth + 1)
    if schema.get("nullable") is True:
        return {"anyOf": [found, {"type": "null"}]}
    return found


class Maker:
    """Random instances that a schema takes, as far as it is of the usual kinds."""

    def __init__(self, root):
        self.root, self.random = root, random.Random(SEED)

    def resolve(self, schema):
        target = self.root
        for step in schema["$ref"].lstrip("#/").split("/"):
            target = target.get(step, {})
        return target

    def make(self, schema, depth=0):
        if not isinstance(schema, dict) or depth > DEPTH_MAX:
            return "deep"
        if "$ref" in schema:
            return self.make(self.resolve(schema), depth + 1)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.random.choice(schema["enum"])
        for key in ("anyOf", "oneOf"):
            if schema.get(key):
                return self.make(self.random.choice(schema[key]), depth + 1)
        if schema.get("allOf"):
            return self.make(schema["allOf"][0], depth + 1)
        kind = schema.get("type")
        kind = self.random.choice(kind) if isinstance(kind, list) else kind
        return getattr(self, "make_" + str(kind), self.make_string)(schema, depth)

    def make_object(self, schema, depth):
        made, required = {}, schema.get("required") or []
        for name, inner in (schema.get("properties") or {}).items():
            if name in required or (depth < 3 and self.random.random() < 0.5):
                made[name] = self.make(inner, depth + 1)
        return made

    def make_array(self, schema, depth):
        least = schema.get("minItems", 0)
        most = max(least, min(schema.get("maxItems", least + 2), least + 2))
        prefix = [self.make(each, depth + 1) for each in schema.get("prefixItems") or []]
        if prefix:
            return prefix
        return [self.make(schema.get("items") or {}, depth + 1) for _ in range(self.random.randint(least, most))]

    def make_string(self, schema, _):
        text = {"date-time": "2026-08-21T10:00:00Z", "date": "2026-08-21", "email": "a@b.org"}.get(
            schema.get("format"), "word")
        least = schema.get("minLength", 0)
        return (text * (least + 1))[: max(least, schema.get("maxLength", len(text)))] if least else text

    def make_number(self, schema, _):
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        return (low if "minimum" in schema else low + 1) + 0.5 * ("maximum" not in schema)

    def make_integer(self, schema, _):
        low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        return int(low) if "maximum" in schema else int(low) + self.random.randint(0, 9)

    def make_boolean(self, *_):
        return self.random.random() < 0.5

    def make_null(self, *_):
        return None


def valid(schema, instance):
    try:
        return jsonschema.Draft202012Validator(schema).is_valid(instance)
    except Exception:
        return None  # not a schema that can be judged


def spoiled(instance, schema):
    """Variants that lack something required, or have something of a wrong type."""
    if not isinstance(instance, dict):
        return
    for name in schema.get("required") or []:
        if name in instance:
            yield {key: value for key, value in instance.items() if key != name}
    for name in instance:
        if (schema.get("properties") or {}).get(name, {}).get("type") in ("integer", "number", "boolean", "object"):
            worse = copy.deepcopy(instance)
            worse[name] = "not of this type"
            yield worse


def differences(wanted, found):
    """A text that says where the two disagree, empty if nowhere."""
    wanted, found = normal(wanted or {}), normal(found or {})
    if wanted == found or not wanted.get("properties"):
        return ""
    maker = Maker(wanted)
    for _ in range(INSTANCES):
        instance = maker.make(wanted)
        if valid(wanted, instance) is True and valid(found, instance) is False:
            filled = {**dict.fromkeys(wanted.get("properties") or {}), **instance}
            if valid(found, filled) is not True:
                return f"does not take {instance}"
        for worse in spoiled(instance, wanted):
            if valid(wanted, worse) is False and valid(found, worse) is True:
                return f"takes {worse}"
    return ""

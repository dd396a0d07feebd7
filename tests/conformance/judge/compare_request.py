"""Compares the request that reached an upstream with what the client said in another dialect: findings are (aspect,
text). What a target cannot take may be left out, but then the answer has to say so (X-LLM-Gateway-Warnings)."""

import json

import cases as recordings

from . import schemas
from .compare_answer import short

CHAT, RESPONSES, ANTHROPIC = recordings.CHAT, recordings.RESPONSES, recordings.ANTHROPIC
GEMINI, BEDROCK, COHERE = recordings.GEMINI, recordings.BEDROCK, recordings.COHERE

# Sampling within the target's range: larger values are cut (facts 2).
TEMPERATURE_MAX = {ANTHROPIC: 1.0, BEDROCK: 1.0, COHERE: 1.0, CHAT: 2.0, RESPONSES: 2.0, GEMINI: 2.0}
STOP_MAX = {CHAT: 4, RESPONSES: 0, GEMINI: 5, COHERE: 5}
DEFAULTS = {"temperature": 1, "top_p": 1}  # not sending them says the same
BLANKLESS = (ANTHROPIC, BEDROCK)


def squeezed(value):
    return "".join(value.split())


class Comparison:
    def __init__(self, asked, sent, target, warnings, fetched=None, claude=False):
        self.asked, self.sent, self.target, self.warnings = asked, sent, target, warnings
        self.fetched = fetched or {}  # address → digest of what is there
        self.claude = claude  # both ends are Claude
        self.findings = []

    def add(self, aspect, text):
        self.findings.append((aspect, text))

    def lost(self, aspect, words, text):
        """Left out or changed: no failure if a warning names it."""
        if not any(word in self.warnings for word in words):
            self.add(aspect, text + " and no warning")

    def run(self):
        self.turns()
        self.system()
        self.pairing()
        self.results_first()
        self.signatures()
        self.media()
        self.tools()
        self.choice()
        self.sampling()
        self.format()
        self.reasoning()
        self.blanks()
        return self.findings

    # --- conversation -------------------------------------------------------------------------------------------------

    def turns(self):
        asked, sent = self.asked.merged(), self.sent.merged()
        if self.moved_system():
            return self.loose_turns(asked, sent)
        roles, found = [turn.role for turn in asked], [turn.role for turn in sent]
        if roles != found and not (found[1:] == roles and found[:1] == ["user"]):
            return self.lost("turns", ["messages", "contents", "input"], f"{found} instead of {roles}")
        for wanted, turn in zip(asked, sent[len(sent) - len(asked) :]):
            self.turn(wanted, turn)
        return None

    def moved_system(self):
        """System messages in the middle may become tagged texts of the user."""
        seen = False
        for turn in self.asked.turns:
            if turn.role != "system":
                seen = True
            elif seen:
                return True
        return False

    def loose_turns(self, asked, sent):
        told = squeezed("".join(part.text for turn in sent for part in turn.parts if part.kind == "text"))
        for part in (part for turn in asked for part in turn.parts if part.kind == "text"):
            if squeezed(part.text) not in told:
                self.add("text", f"absent: {short(part.text)}")

    def turn(self, wanted, turn):
        texts = [part.text for part in wanted.parts if part.kind == "text"]
        told = "".join(part.text for part in turn.parts if part.kind == "text")
        rest = remainder(texts, told)
        if rest is None or (rest.strip() and not self.explained(wanted, turn, rest)):
            self.add("text", f"{short(told)} instead of {short(texts)}")
        calls = [(part.name, part.args) for part in wanted.parts if part.kind == "call"]
        found = [(part.name, part.args) for part in turn.parts if part.kind == "call"]
        if len(calls) != len(found) or any(not self.same_call(*pair) for pair in zip(calls, found)):
            self.add("calls", f"{short(found)} instead of {short(calls)}")
        self.results(wanted, turn)

    def explained(self, wanted, turn, rest):
        """More text than asked for is right where media or results had to become or bring text, or where the system's
        words or a format's stand because the target has no better place."""
        if self.asked.system() and not self.sent.system() or self.asked.format and not self.sent.format:
            return "<system>" in rest
        extra = any(part.kind in ("result", "document", "other", "image", "audio") for part in wanted.parts)
        return extra or any(part.kind in ("document", "image") for part in turn.parts)

    @staticmethod
    def same_call(wanted, found):
        if wanted[0] != found[0]:
            return False
        if isinstance(wanted[1], dict) and "__unparsed__" not in wanted[1]:
            return wanted[1] == found[1]
        return isinstance(found[1], (dict, str))  # no object: has to be wrapped, or is free text

    def results(self, wanted, turn):
        asked = [part for part in wanted.parts if part.kind == "result"]
        found = [part for part in turn.parts if part.kind == "result"]
        if len(asked) != len(found):
            self.lost("results", ["result", "tool"], f"{len(found)} results instead of {len(asked)}")
            return
        unmatched = [result_text(part) for part in found]
        for part in asked:
            words = result_text(part)
            match = next((each for each in unmatched if same_result(words, each)), None)
            if match is None:
                self.add("results", f"absent: {short(words)} of {short(unmatched)}")
            else:
                unmatched.remove(match)

    def system(self):
        told = squeezed("".join(self.sent.system()))
        anywhere = told + squeezed("".join(part.text for part in self.sent.parts("text")))
        for words in self.asked.system():
            if squeezed(words) not in anywhere:
                self.add("system", f"absent: {short(words)}")
            elif told.count(squeezed(words)) > max(1, [squeezed(each) for each in self.asked.system()].count(
                    squeezed(words))) and len(words) > 40:
                self.add("system", f"more than once: {short(words)}")

    def pairing(self):
        """Each call is answered right behind it, each result has its call before it; ids are the same."""
        open_calls = {}
        for turn in self.sent.merged():
            results = [part for part in turn.parts if part.kind == "result"]
            calls = [part for part in turn.parts if part.kind == "call"]
            for part in results:
                key = part.id or part.name
                if open_calls.get(key, 0) < 1:
                    self.add("pairing", f"a result for {key} without a call")
                open_calls[key] = open_calls.get(key, 0) - 1
            if turn.role == "assistant" and any(count > 0 for count in open_calls.values()):
                self.add("pairing", f"calls without results: {[k for k, v in open_calls.items() if v > 0]}")
            if turn.role == "assistant":
                open_calls = {}
            for part in calls:
                key = part.id or part.name
                open_calls[key] = open_calls.get(key, 0) + 1
                if part.id is not None and open_calls[key] > 1:
                    self.add("pairing", f"two calls of id {part.id} in one turn")

    def results_first(self):
        """Results of a turn stand in one turn of the user, before all else."""
        if self.target not in BLANKLESS:
            return
        roles = [turn.role for turn in self.sent.turns]
        if any(left == right == "user" for left, right in zip(roles, roles[1:])):
            self.add("results", f"turns of one role beside each other: {roles}")
        for turn in self.sent.turns:
            kinds = [part.kind == "result" for part in turn.parts]
            if kinds != sorted(kinds, reverse=True):
                self.add("results", "a result stands behind other content")

    def signatures(self):
        """Only who made a signature gets it back; Claude's are good on every platform."""
        if self.claude:
            return
        sent = {part.signature for part in self.every(self.sent) if part.signature}
        for part in self.every(self.asked):
            if part.signature and part.signature in sent:
                self.add("signature", f"a foreign signature was sent: {part.signature[:60]}")

    @staticmethod
    def every(request):
        return [part for turn in request.turns for part in turn.parts]

    def media(self):
        for kind in ("image", "audio", "video", "document"):
            asked = sorted(part.media for part in self.asked.parts(kind))
            found = sorted(part.media for part in self.sent.parts(kind))
            if asked == found:
                continue
            everything = {part.media for each in ("image", "audio", "video", "document") for part in
                          self.sent.parts(each)}
            told = squeezed("".join(part.text for part in self.sent.parts("text")))
            for part in self.asked.parts(kind):
                sent = {part.media, self.fetched.get(part.media)} & everything
                if not sent and not (part.text and squeezed(part.text) in told):
                    self.lost(kind, ["content", "parts", "image", "input", kind], f"absent: {part.media[:80]}")
        types = {part.media: part.media_type for kind in ("image", "document") for part in self.asked.parts(kind)}
        for part in self.sent.parts("image"):
            wanted = types.get(part.media)
            if wanted and part.media_type and wanted.partition("/")[0] == "image" and part.media_type != wanted:
                self.add("media_type", f"{part.media_type} instead of {wanted}")

    # --- tools --------------------------------------------------------------------------------------------------------

    def tools(self):
        asked = {each.name: each for each in self.asked.tools if each.kind != "server"}
        sent = {each.name: each for each in self.sent.tools if each.kind != "server"}
        server = [each.name for each in self.asked.tools if each.kind == "server"]
        missing = len(server) > sum(each.kind == "server" for each in self.sent.tools)
        if missing and self.asked.choice != "named":
            self.lost("server_tools", ["tool"], f"{server} dropped")
        if self.asked.choice == "none" and not sent:
            return
        absent = [name for name in asked if name not in sent]
        chosen = set(self.asked.allowed or [self.asked.choice_name])
        if absent and set(sent) != chosen:  # no other tool than those that may be called is as good as a choice
            self.lost("tools", ["tool"], f"absent: {absent}, sent: {list(sent)}")
        for name, wanted in asked.items():
            found = sent.get(name)
            if found is None:
                continue
            if squeezed(wanted.description) not in squeezed(found.description):
                self.add("tool_description", f"{name}: {short(found.description)}")
            if wanted.kind != "custom":
                self.schema("tool_schema", name, wanted.schema, found.schema)

    def schema(self, aspect, name, wanted, found):
        wrong = schemas.differences(wanted, found)
        if wrong:
            self.lost(aspect, ["tool", "schema", "format"], f"{name}: {wrong}")

    def choice(self):
        asked, sent = self.asked, self.sent
        if asked.choice in (None, "auto") and not asked.allowed:
            if sent.choice in ("required", "named") and not asked.format:
                self.add("tool_choice", f"{sent.choice} instead of {asked.choice}")
            return
        if asked.choice == "none":
            if sent.choice not in (None, "none") or (sent.choice is None and sent.tools and self.target not in (
                    BEDROCK, COHERE)):
                self.add("tool_choice", f"{sent.choice} instead of none")
            return
        if asked.allowed:
            names = {each.name for each in sent.tools}
            if set(asked.allowed) not in (names, set(sent.allowed or [sent.choice_name])):
                self.lost("tool_choice", ["tool"], f"allowed tools {sent.allowed} instead of {asked.allowed}")
            return
        if (sent.choice, sent.choice_name) == (asked.choice, asked.choice_name):
            return
        if asked.choice == "named" and sent.choice == "required" and [each.name for each in sent.tools] == [
                asked.choice_name]:
            return
        self.lost("tool_choice", ["tool"], f"{sent.choice} {sent.choice_name} instead of {asked.choice} "
                  f"{asked.choice_name}")

    # --- settings -----------------------------------------------------------------------------------------------------

    def sampling(self):
        asked, sent = self.asked, self.sent
        if asked.max_tokens is not None and sent.max_tokens != asked.max_tokens:
            self.lost("max_tokens", ["max"], f"{sent.max_tokens} instead of {asked.max_tokens}")
        if sent.max_tokens is None and self.target == ANTHROPIC:
            self.add("max_tokens", "absent")
        if asked.temperature is not None:
            cut = min(asked.temperature, TEMPERATURE_MAX[self.target])
            default = sent.temperature is None and asked.temperature == DEFAULTS["temperature"]
            if sent.temperature not in (asked.temperature, cut) and not default:
                self.lost("temperature", ["temperature"], f"{sent.temperature} instead of {asked.temperature}")
        for name in ("top_p", "top_k", "seed"):
            wanted, found = getattr(asked, name), getattr(sent, name)
            if wanted is not None and wanted != found and not (found is None and wanted == DEFAULTS.get(name)):
                self.lost(name, [name, name.replace("_", "").lower(), "topP", "topK"], f"{found} instead of {wanted}")
        if asked.stop and sent.stop != asked.stop:
            self.lost("stop", ["stop"], f"{sent.stop} instead of {asked.stop}")
        calls = sent.tools and "none" not in (sent.choice, asked.choice)
        if asked.parallel is False and sent.parallel is not False and calls:
            self.lost("parallel", ["parallel"], "parallel calls are not switched off")
        if asked.stream != sent.stream and self.target not in (GEMINI, BEDROCK):
            self.add("stream", f"{sent.stream} instead of {asked.stream}")

    def format(self):
        asked, sent = self.asked, self.sent
        if asked.format is None:
            return
        if sent.format is None:
            self.lost("format", ["format", "schema", "Schema", "json", "Mime"], f"{asked.format} is absent")
        elif asked.format == "json_schema" and sent.format == "json_schema" and asked.schema and sent.schema:
            self.schema("output_schema", "format", asked.schema, sent.schema)
        elif asked.format != sent.format:
            self.lost("format", ["format", "schema", "Schema", "json"], f"{sent.format} instead of {asked.format}")

    def reasoning(self):
        asked, sent = self.asked, self.sent
        if asked.reasoning == "on" and sent.reasoning not in ("on", "adaptive"):
            self.lost("reasoning", ["reasoning", "thinking", "effort"], f"{sent.reasoning} instead of on")
        if asked.reasoning == "off" and sent.reasoning == "on":
            self.lost("reasoning", ["reasoning", "thinking", "effort"], "on instead of off")
        told = "".join(part.text for part in self.sent.parts("text"))
        for part in self.asked.parts("reasoning"):
            if len(part.text) > 60 and part.text in told:
                self.add("reasoning", "thoughts became visible text")

    def blanks(self):
        if self.target not in BLANKLESS:
            return
        for turn in self.sent.turns:
            if any(part.kind == "text" and not part.text.strip() for part in turn.parts):
                self.add("blank", f"a blank text in a turn of {turn.role}")


def remainder(texts, told):
    """What stands between and around the texts, which must come in order, letter by letter; None if one does not.
    White space at the ends of a text may go: some providers refuse it."""
    rest, at = "", 0
    for each in texts:
        found = told.find(each, at)
        if found < 0:
            each = each.strip()
            found = told.find(each, at)
        if found < 0:
            return None
        rest, at = rest + told[at:found], found + len(each)
    return rest + told[at:]


def result_text(part):
    return "".join(each.text for each in part.parts if each.kind == "text")


def same_result(wanted, found):
    if not wanted.strip() or squeezed(wanted) in squeezed(found):
        return True
    try:
        right = json.loads(found.removeprefix("Error: "))
    except ValueError:
        return False
    try:
        left = json.loads(wanted)
    except ValueError:
        left = wanted
    return left == right or right in [{name: left} for name in ("result", "output", "content", "error")]


def compare(asked, sent, target, warnings, fetched=None, claude=False):
    return Comparison(asked, sent, target, warnings or "", fetched, claude).run()

"""Family C through LangChain: its own classes keep the history, as an application's would. What they cannot hold
(ChatOpenAI knows no thoughts) the provider has to do without, but ids pair, results are grouped and the request is one
that it takes."""

import asyncio
import os

import cases as recordings
import sdk
from families import chains
from judge import answers, requests
from results import Check
from world import recorded_reply

MAX_TOKENS = 8000
KEEPS_SIGNATURES = (recordings.RESPONSES, recordings.ANTHROPIC, recordings.GEMINI)  # ChatBedrockConverse drops thoughts


def openai(port, model, thinking):
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=model, base_url=sdk.url(port) + "/v1", api_key=sdk.CLIENT_KEY, max_retries=0)


def responses(port, model, thinking):
    from langchain_openai import ChatOpenAI

    more = {"reasoning": {"effort": "medium", "summary": "auto"}} if thinking else {}
    return ChatOpenAI(model=model, base_url=sdk.url(port) + "/v1", api_key=sdk.CLIENT_KEY, max_retries=0,
                      use_responses_api=True, output_version="responses/v1", store=False,
                      include=["reasoning.encrypted_content"], **more)


def anthropic(port, model, thinking):
    from langchain_anthropic import ChatAnthropic

    more = {"thinking": {"type": "enabled", "budget_tokens": 2000}} if thinking else {}
    return ChatAnthropic(model=model, base_url=sdk.url(port), api_key=sdk.CLIENT_KEY, max_retries=0,
                         max_tokens=MAX_TOKENS, **more)


def gemini(port, model, thinking):
    from langchain_google_genai import ChatGoogleGenerativeAI

    return ChatGoogleGenerativeAI(model=model, base_url=sdk.url(port), google_api_key=sdk.CLIENT_KEY, max_retries=0,
                                  include_thoughts=thinking)


def bedrock(port, model, thinking):
    from langchain_aws import ChatBedrockConverse

    settings = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
    more = {"additional_model_request_fields": settings} if thinking else {}
    return ChatBedrockConverse(model_id=model, client=sdk.bedrock_client(port), provider="anthropic",
                               max_tokens=MAX_TOKENS, disable_streaming=False, **more)


MODELS = {
    recordings.CHAT: openai,
    recordings.RESPONSES: responses,
    recordings.ANTHROPIC: anthropic,
    recordings.GEMINI: gemini,
    recordings.BEDROCK: bedrock,
}


class Loop:
    """A conversation in LangChain's messages. Blocking."""

    def __init__(self, client, port, model, asked, thinking):
        from langchain_core import messages

        self.words, self.history = messages, []
        self.model = MODELS[client](port, model, thinking)
        tools = [self.tool(each) for each in asked.tools if each.kind == "function"]
        if tools:
            self.model = self.model.bind_tools(tools)
        if asked.system():
            self.history.append(messages.SystemMessage("\n\n".join(asked.system())))
        for turn in asked.merged():
            texts = "".join(part.text for part in turn.parts if part.kind == "text")
            self.history.append(messages.HumanMessage(texts or "Go on."))

    @staticmethod
    def tool(definition):
        schema = {"type": "object", "properties": {}}
        function = {"name": definition.name, "description": definition.description or definition.name,
                    "parameters": schema}
        return {"type": "function", "function": function}

    def ask(self, stream):
        """[(id, name)] of the calls in the answer, which joins the history."""
        if stream:
            answer = None
            for chunk in self.model.stream(self.history):
                answer = chunk if answer is None else answer + chunk
        else:
            answer = self.model.invoke(self.history)
        self.history.append(answer)
        return [(call["id"], call["name"]) for call in answer.tool_calls]

    def user(self, texts, results):
        for key, name, text in results:
            self.history.append(self.words.ToolMessage(text, tool_call_id=key, name=name))
        if texts:
            self.history.append(self.words.HumanMessage("".join(texts)))


async def run(world, checker, found):
    os.environ["LANGSMITH_TRACING"] = "false"
    await world.all(
        [
            one(world, checker, name, turns, client)
            for name, turns in found.items()
            for client in MODELS
            if client != turns[0].dialect and world.options.wants(client)
            and opening(turns[0])
        ]
    )


def opening(case):
    """Whether the chain begins with what a user says."""
    return [turn.role for turn in requests.read(case.dialect, case.request).merged()] == ["user"]


def kept(client, signed):
    """What LangChain keeps of them: of Gemini's, those on calls."""
    if client not in KEEPS_SIGNATURES:
        return []
    return [each for each in signed if client != recordings.GEMINI or each[0] != "text"]


async def one(world, checker, name, turns, client):
    first = turns[0]
    check = Check("C", client, first.provider, name, "langchain", set().union(*[each.features for each in turns]),
                  first.dialect)
    stream, minted = any(case.streaming for case in turns), []
    thinking = any(answers.origin(case).signatures for case in turns)
    asked = requests.read(first.dialect, first.request)
    program = world.upstream.program(f"case-{first.number}")
    async with program.lock:
        captured = []
        try:
            loop = await asyncio.to_thread(Loop, client, world.gateway.port, f"case-{first.number}", asked, thinking)
            for number, case in enumerate(turns):
                program.load(recorded_reply(case))
                calls = await asyncio.to_thread(loop.ask, stream)
                captured = list(program.captured)
                told = "".join(each.response.decode("utf-8", "replace") for each in turns[:number])
                chains.judge(check, checker, case, number, captured, minted, told)
                if number + 1 == len(turns):
                    break
                minted += kept(client, chains.signed(case.dialect, case.response, case.streaming))
                chains.go_on(check, loop, calls, case, turns[number + 1])
        except Exception as error:
            check.add("sdk", f"{type(error).__name__}: {str(error)[:500]}")
        check.keep(None, None, captured)
    world.report.add(check)

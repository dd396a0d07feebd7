// Every JavaScript SDK with every provider's model: a text, a stream, and a tool loop, streamed and not.
import assert from "node:assert/strict";

import Anthropic from "@anthropic-ai/sdk";
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";

import { check, collect, run } from "./check.mjs";

const { GATEWAY_URL: url, GATEWAY_KEY: apiKey } = process.env;
const models = ["gpt-4o-mini", "azure-gpt", "claude-sonnet", "gemini-flash", "vertex-gemini"];
const question = "Say something about gateways.";
const schema = { type: "object", properties: { town: { type: "string" } }, required: ["town"] };
const result = "sunny";

// Each client: `ask(model, history, tools, stream)` gives {text, calls: [{id, name, args}]} and keeps what the model
// said; `answered(calls)` is the history with the results behind it.
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, timeout: 60000 });

const chat = () => ({
  async ask(model, history, tools, stream) {
    const body = { model, messages: [{ role: "user", content: question }, ...history], max_tokens: 300,
      tools: [{ type: "function", function: { name: "get_weather", parameters: schema } }],
      tool_choice: tools ? "required" : "auto" };
    const answer = stream ? await openai.chat.completions.stream(body).finalChatCompletion()
      : await openai.chat.completions.create(body);
    this.last = answer.choices[0].message;
    const calls = (this.last.tool_calls ?? []).map((each) => (
      { id: each.id, name: each.function.name, args: JSON.parse(each.function.arguments) }));
    assert.equal(answer.choices[0].finish_reason, calls.length ? "tool_calls" : "stop");
    return { text: this.last.content, calls };
  },
  answered(calls) {
    return [this.last, ...calls.map(({ id }) => ({ role: "tool", tool_call_id: id, content: result }))];
  },
});

const responses = () => ({
  async ask(model, history, tools, stream) {
    const body = { model, input: [{ role: "user", content: question }, ...history], store: false,
      tools: [{ type: "function", name: "get_weather", parameters: schema, strict: false }],
      tool_choice: tools ? "required" : "auto" };
    const answer = stream ? await openai.responses.stream(body).finalResponse() : await openai.responses.create(body);
    assert.equal(answer.status, "completed");
    this.last = answer.output;
    const calls = answer.output.filter((each) => each.type === "function_call");
    return { text: answer.output_text,
      calls: calls.map((each) => ({ id: each.call_id, name: each.name, args: JSON.parse(each.arguments) })) };
  },
  answered(calls) {
    const items = this.last.map(({ parsed_arguments: _, ...item }) => item);
    return [...items, ...calls.map(({ id }) => ({ type: "function_call_output", call_id: id, output: result }))];
  },
});

const anthropic = new Anthropic({ baseURL: url, apiKey, maxRetries: 0, timeout: 60000 });

const messages = () => ({
  async ask(model, history, tools, stream) {
    const body = { model, max_tokens: 300, messages: [{ role: "user", content: question }, ...history],
      tools: [{ name: "get_weather", input_schema: schema }], tool_choice: { type: tools ? "any" : "auto" } };
    const answer = stream ? await anthropic.messages.stream(body).finalMessage()
      : await anthropic.messages.create(body);
    this.last = answer.content;
    const calls = answer.content.filter((each) => each.type === "tool_use");
    assert.equal(answer.stop_reason, calls.length ? "tool_use" : "end_turn");
    return { text: answer.content.map((each) => each.text ?? "").join(""),
      calls: calls.map(({ id, name, input }) => ({ id, name, args: input })) };
  },
  answered(calls) {
    const content = calls.map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: result }));
    return [{ role: "assistant", content: this.last }, { role: "user", content }];
  },
});

const google = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: url, retryOptions: { attempts: 1 } } });

const gemini = () => ({
  async ask(model, history, tools, stream) {
    const body = { model, contents: [{ role: "user", parts: [{ text: question }] }, ...history], config: {
      maxOutputTokens: 300, tools: [{ functionDeclarations: [{ name: "get_weather", parametersJsonSchema: schema }] }],
      toolConfig: { functionCallingConfig: { mode: tools ? "ANY" : "AUTO" } } } };
    const chunks = stream ? await collect(await google.models.generateContentStream(body))
      : [await google.models.generateContent(body)];
    const parts = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? []);
    assert.equal(chunks.at(-1).candidates[0].finishReason, "STOP");
    this.last = { role: "model", parts };
    const calls = parts.filter((part) => part.functionCall).map((part) => part.functionCall);
    return { text: parts.map((part) => (part.thought ? "" : part.text ?? "")).join(""), calls };
  },
  answered(calls) {
    const parts = calls.map(({ id, name }) => ({ functionResponse: { id, name, response: { result } } }));
    return [this.last, { role: "user", parts }];
  },
});

const aws = new BedrockRuntimeClient({ endpoint: url, region: "us-east-1", maxAttempts: 1,
  credentials: { accessKeyId: apiKey, secretAccessKey: apiKey } });

function together(events) {
  const blocks = [];
  for (const { contentBlockStart: start, contentBlockDelta: delta } of events) {
    if (start?.start?.toolUse) blocks[start.contentBlockIndex] = { toolUse: { ...start.start.toolUse, input: "" } };
    if (delta?.delta.text !== undefined) {
      blocks[delta.contentBlockIndex] ??= { text: "" };
      blocks[delta.contentBlockIndex].text += delta.delta.text;
    }
    if (delta?.delta.toolUse) blocks[delta.contentBlockIndex].toolUse.input += delta.delta.toolUse.input;
  }
  for (const { toolUse } of blocks) if (toolUse) toolUse.input = JSON.parse(toolUse.input || "{}");
  return { role: "assistant", content: blocks };
}

const converse = () => ({
  async ask(model, history, tools, stream) {
    const body = { modelId: model, messages: [{ role: "user", content: [{ text: question }] }, ...history],
      inferenceConfig: { maxTokens: 300 }, toolConfig: { toolChoice: tools ? { any: {} } : { auto: {} },
        tools: [{ toolSpec: { name: "get_weather", inputSchema: { json: schema } } }] } };
    this.last = stream ? together(await collect((await aws.send(new ConverseStreamCommand(body))).stream))
      : (await aws.send(new ConverseCommand(body))).output.message;
    const calls = this.last.content.filter((each) => each.toolUse).map(({ toolUse }) => toolUse);
    return { text: this.last.content.map((each) => each.text ?? "").join(""),
      calls: calls.map(({ toolUseId, name, input }) => ({ id: toolUseId, name, args: input })) };
  },
  answered(calls) {
    const content = calls.map(({ id }) => ({ toolResult: { toolUseId: id, content: [{ text: result }] } }));
    return [this.last, { role: "user", content }];
  },
});

for (const [name, make] of Object.entries({ chat, responses, messages, gemini, converse })) {
  for (const model of models) {
    for (const stream of [false, true]) {
      check(`${name}, ${model}, ${stream ? "streamed" : "whole"}`, async () => {
        const client = make();
        const asked = await client.ask(model, [], true, stream);
        assert.deepEqual(asked.calls.map((call) => call.name), ["get_weather"]);
        assert.deepEqual(Object.keys(asked.calls[0].args), ["town"]);
        const final = await client.ask(model, client.answered(asked.calls), false, stream);
        assert(final.text && !final.calls.length);
      });
    }
  }
}

await run();

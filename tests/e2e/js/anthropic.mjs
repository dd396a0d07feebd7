import assert from "node:assert/strict";

import Anthropic, { APIConnectionTimeoutError, APIError, AuthenticationError, NotFoundError,
  RateLimitError } from "@anthropic-ai/sdk";

import { check, collect, rejects, run } from "./check.mjs";

const { GATEWAY_URL: url, GATEWAY_KEY: apiKey } = process.env;
const client = new Anthropic({ baseURL: url, apiKey, maxRetries: 0, timeout: 60000 });
const call = { model: "claude-sonnet", max_tokens: 200, messages: [{ role: "user", content: "Say something." }] };
const simulate = (plan) => ({ headers: { "x-simulate": plan } });

check("messages", async () => {
  const answer = await client.messages.create(call);
  assert.equal(answer.stop_reason, "end_turn");
  assert(answer.content[0].text);
});

check("stream", async () => {
  const stream = client.messages.stream(call);
  const final = await stream.finalMessage();
  assert.equal(final.stop_reason, "end_turn");
  assert(final.content[0].text);
});

check("stream events", async () => {
  const events = (await collect(await client.messages.create({ ...call, stream: true }))).map((event) => event.type);
  assert.equal(events[0], "message_start");
  assert.equal(events.at(-1), "message_stop");
});

check("tools", async () => {
  const answer = await client.messages.create({ ...call, tool_choice: { type: "any" }, tools: [{ name: "get_weather",
    input_schema: { type: "object", properties: { town: { type: "string" } }, required: ["town"] } }] });
  const made = answer.content.find((block) => block.type === "tool_use");
  assert.equal(made.name, "get_weather");
  assert.deepEqual(Object.keys(made.input), ["town"]);
});

check("count tokens", async () => {
  assert((await client.messages.countTokens({ model: call.model, messages: call.messages })).input_tokens > 0);
});

check("models", async () => {
  const names = (await collect(client.models.list())).map((model) => model.id);
  assert(names.includes("claude-sonnet"));
});

check("bad key", async () => {
  const wrong = new Anthropic({ baseURL: url, apiKey: "wrong-key-wrong-key", maxRetries: 0 });
  await rejects(wrong.messages.create(call), AuthenticationError, { status: 401 });
});

check("unknown model names those there are", async () => {
  await rejects(client.messages.create({ ...call, model: "no-such-model" }), NotFoundError,
    { message: /claude-sonnet/ });
});

for (const stream of [false, true]) {
  check(`upstream status 429, stream ${stream}`, async () => {
    await rejects(client.messages.create({ ...call, stream }, simulate("status=429")), RateLimitError);
  });
  check(`upstream status 529, stream ${stream}`, async () => {
    await rejects(client.messages.create({ ...call, stream }, simulate("status=529")), APIError, { status: 529 });
  });
}

for (const plan of ["cut=after:4", "reset=after:4", "error-event=after:4"]) {
  check(`broken stream rejects: ${plan}`, async () => {
    await assert.rejects(async () => collect(await client.messages.create({ ...call, stream: true }, simulate(plan))));
  });
}

check("client time-out", async () => {
  await rejects(client.messages.create(call, { ...simulate("hang"), timeout: 1000 }), APIConnectionTimeoutError);
});

await run();

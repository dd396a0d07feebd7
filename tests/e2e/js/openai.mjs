import assert from "node:assert/strict";

import OpenAI, { APIConnectionError, APIConnectionTimeoutError, APIError, AuthenticationError, AzureOpenAI,
  InternalServerError, NotFoundError, RateLimitError, toFile } from "openai";

import { check, collect, rejects, run } from "./check.mjs";

const { GATEWAY_URL: url, GATEWAY_KEY: apiKey } = process.env;
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, timeout: 60000 });
const azure = new AzureOpenAI({ endpoint: url, apiKey, apiVersion: "2024-10-21", maxRetries: 0 });
const messages = [{ role: "user", content: "Say something about gateways." }];
const call = { model: "gpt-4o-mini", messages };
const simulate = (plan) => ({ headers: { "x-simulate": plan } });
const tools = [{ type: "function", function: { name: "get_weather", parameters: { type: "object",
  properties: { town: { type: "string" } }, required: ["town"], additionalProperties: false } } }];

check("chat", async () => {
  const answer = await client.chat.completions.create(call);
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert(answer.choices[0].message.content);
  assert(answer.usage.total_tokens > 0);
});

check("chat streamed", async () => {
  const whole = await client.chat.completions.create({ ...call, seed: 3 });
  const chunks = await collect(await client.chat.completions.create({ ...call, seed: 3, stream: true,
    stream_options: { include_usage: true } }));
  const text = chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join("");
  assert.equal(text, whole.choices[0].message.content);
  assert(chunks.at(-1).usage.total_tokens > 0);
});

check("chat stream helper", async () => {
  const stream = client.chat.completions.stream(call);
  assert((await stream.finalChatCompletion()).choices[0].message.content);
});

check("tools", async () => {
  const answer = await client.chat.completions.create({ ...call, tools, tool_choice: "required" });
  const [made] = answer.choices[0].message.tool_calls;
  assert.equal(made.function.name, "get_weather");
  assert.deepEqual(Object.keys(JSON.parse(made.function.arguments)), ["town"]);
});

check("embeddings", async () => {
  const answer = await client.embeddings.create({ model: "text-embedding-3", input: ["a", "b"] });
  assert.equal(answer.data.length, 2);
  assert(answer.data[0].embedding.length > 8);
});

check("responses", async () => {
  const answer = await client.responses.create({ model: "gpt-4o-mini", input: "Hello" });
  assert.equal(answer.status, "completed");
  assert(answer.output_text);
});

check("responses streamed", async () => {
  const events = await collect(await client.responses.create({ model: "gpt-4o-mini", input: "Hello", stream: true }));
  assert.equal(events[0].type, "response.created");
  assert.equal(events.at(-1).type, "response.completed");
});

check("models", async () => {
  const names = (await collect(client.models.list())).map((model) => model.id);
  assert(names.includes("gpt-4o-mini") && names.includes("claude-sonnet"));
});

check("speech and transcription", async () => {
  const speech = Buffer.from(await (await client.audio.speech.create(
    { model: "gpt-tts", voice: "alloy", input: "Hello there" })).arrayBuffer());
  assert(speech.length > 100);
  const heard = await client.audio.transcriptions.create(
    { model: "gpt-whisper", file: await toFile(speech, "speech.wav") });
  assert(heard.text);
});

check("bad key", async () => {
  const wrong = new OpenAI({ baseURL: `${url}/v1`, apiKey: "wrong-key-wrong-key", maxRetries: 0 });
  await rejects(wrong.chat.completions.create(call), AuthenticationError, { status: 401, code: "invalid_api_key" });
});

check("unknown model names those there are", async () => {
  await rejects(client.chat.completions.create({ ...call, model: "no-such-model" }), NotFoundError,
    { code: "model_not_found", message: /gpt-4o-mini/ });
});

for (const [status, kind] of [[429, RateLimitError], [503, InternalServerError], [500, InternalServerError]]) {
  for (const stream of [false, true]) {
    check(`upstream status ${status}, stream ${stream}`, async () => {
      await rejects(client.chat.completions.create({ ...call, stream }, simulate(`status=${status}`)), kind,
        { status });
    });
  }
}

for (const plan of ["cut=after:4", "reset=after:4", "error-event=after:4"]) {
  check(`broken stream rejects: ${plan}`, async () => {
    const stream = await client.chat.completions.create({ ...call, stream: true }, simulate(plan));
    await assert.rejects(collect(stream));
  });
}

for (const plan of ["reset", "garbage"]) {
  check(`broken answer rejects: ${plan}`, async () => {
    await rejects(client.chat.completions.create(call, simulate(plan)), APIError, { status: 502 });
  });
}

check("cut answer rejects", async () => {
  // The SDK passes on what fetch says of a body shorter than its content-length.
  await assert.rejects(client.chat.completions.create(call, simulate("cut")));
});

check("client time-out", async () => {
  await rejects(client.chat.completions.create(call, { ...simulate("hang"), timeout: 1000 }),
    APIConnectionTimeoutError);
});

check("client abort in a stream", async () => {
  const stream = await client.chat.completions.create({ ...call, stream: true }, simulate("hang=after:3"));
  for await (const chunk of stream) {
    assert(chunk.id);
    break;
  }
});

check("nobody listens", async () => {
  const nowhere = new OpenAI({ baseURL: "http://127.0.0.1:1/v1", apiKey, maxRetries: 0 });
  await rejects(nowhere.chat.completions.create(call), APIConnectionError);
});

check("azure chat", async () => {
  const answer = await azure.chat.completions.create({ model: "azure-gpt", messages });
  assert(answer.choices[0].message.content);
});

check("azure chat streamed", async () => {
  const chunks = await collect(await azure.chat.completions.create({ model: "azure-gpt", messages, stream: true }));
  assert(chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join(""));
});

check("azure bad key", async () => {
  const wrong = new AzureOpenAI(
    { endpoint: url, apiKey: "wrong-key-wrong-key", apiVersion: "2024-10-21", maxRetries: 0 });
  await rejects(wrong.chat.completions.create({ model: "azure-gpt", messages }), AuthenticationError);
});

check("azure unknown deployment", async () => {
  await rejects(azure.chat.completions.create({ model: "no-such-deployment", messages }), NotFoundError);
});

await run();

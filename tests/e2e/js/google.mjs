import assert from "node:assert/strict";

import { ApiError, GoogleGenAI } from "@google/genai";

import { check, collect, rejects, run } from "./check.mjs";

const { GATEWAY_URL: baseUrl, GATEWAY_KEY: apiKey } = process.env;
const connect = (headers = {}, key = apiKey) =>
  new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl, headers, retryOptions: { attempts: 1 } } });
const client = connect();
const call = { model: "gemini-flash", contents: "Say something about gateways." };

check("generate", async () => {
  const answer = await client.models.generateContent(call);
  assert(answer.text);
  assert.equal(answer.candidates[0].finishReason, "STOP");
});

check("stream", async () => {
  const chunks = await collect(await client.models.generateContentStream(call));
  assert(chunks.length > 1);
  assert(chunks.map((chunk) => chunk.text ?? "").join(""));
});

check("count tokens", async () => {
  assert((await client.models.countTokens(call)).totalTokens > 0);
});

check("embed", async () => {
  const answer = await client.models.embedContent({ model: "gemini-embedding", contents: ["a", "b"] });
  assert.equal(answer.embeddings.length, 2);
});

check("models", async () => {
  const names = (await collect(await client.models.list())).map((model) => model.name);
  assert(names.includes("models/gemini-flash"));
});

check("bad key", async () => {
  const failure = await rejects(connect({}, "wrong-key-wrong-key").models.generateContent(call), ApiError);
  assert([400, 401].includes(failure.status));
});

check("unknown model names those there are", async () => {
  await rejects(client.models.generateContent({ ...call, model: "no-such-model" }), ApiError,
    { status: 404, message: /gemini-flash/ });
});

for (const status of [429, 503]) {
  check(`upstream status ${status}`, async () => {
    await rejects(connect({ "x-simulate": `status=${status}` }).models.generateContent(call), ApiError, { status });
  });
}

for (const plan of ["cut=after:4", "reset=after:4", "error-event=after:4"]) {
  check(`broken stream rejects: ${plan}`, async () => {
    await assert.rejects(async () => collect(await connect({ "x-simulate": plan }).models.generateContentStream(call)));
  });
}

await run();

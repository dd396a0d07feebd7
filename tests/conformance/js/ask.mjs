// Calls of the JavaScript SDKs: a JSON list on the standard input, [{id, client, model, stream, body}]; a JSON line for
// each on the standard output, {id, answer} or {id, events} or {id, error}.
import Anthropic from "@anthropic-ai/sdk";
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { text } from "node:stream/consumers";

const { GATEWAY_URL: url, GATEWAY_KEY: apiKey } = process.env;
const atOnce = 4;
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
const google = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: url } });
const bedrock = new BedrockRuntimeClient({ endpoint: url, region: "us-east-1", maxAttempts: 1,
  credentials: { accessKeyId: apiKey, secretAccessKey: apiKey } });

async function collect(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return { events };
}

function geminiCall({ model, body }) {
  const thinkingConfig = body.generationConfig?.thinkingConfig;
  return { model, contents: body.contents, config: { tools: body.tools, thinkingConfig } };
}

const calls = {
  async openai_chat({ model, stream, body }) {
    const answer = await openai.chat.completions.create({ model, stream, ...body });
    return stream ? collect(answer) : { answer };
  },
  async openai_responses({ model, stream, body }) {
    const answer = await openai.responses.create({ model, stream, ...body });
    return stream ? collect(answer) : { answer };
  },
  async anthropic({ model, stream, body }) {
    const whole = stream ? anthropic.messages.stream({ model, ...body }).finalMessage()
      : anthropic.messages.create({ model, ...body });
    return { answer: await whole };
  },
  async gemini(call) {
    if (call.stream) return collect(await google.models.generateContentStream(geminiCall(call)));
    return { answer: await google.models.generateContent(geminiCall(call)) };
  },
  async bedrock({ model, stream, body }) {
    if (stream) return collect((await bedrock.send(new ConverseStreamCommand({ modelId: model, ...body }))).stream);
    return { answer: await bedrock.send(new ConverseCommand({ modelId: model, ...body })) };
  },
};

function bytesAsBase64(_, value) {
  return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
}

const waiting = JSON.parse(await text(process.stdin));
async function work() {
  for (let call = waiting.shift(); call; call = waiting.shift()) {
    let outcome;
    try {
      outcome = await calls[call.client](call);
    } catch (failure) {
      outcome = { error: `${failure.constructor.name}: ${failure.message}` };
    }
    console.log(JSON.stringify({ id: call.id, ...outcome }, bytesAsBase64));
  }
}
await Promise.all(Array.from({ length: atOnce }, work));
process.exit(0);

import assert from "node:assert/strict";

import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, InvokeModelCommand,
  InvokeModelWithResponseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { NodeHttp2Handler, NodeHttpHandler } from "@smithy/node-http-handler";

import { check, collect, run } from "./check.mjs";

const { GATEWAY_URL: endpoint, GATEWAY_KEY: key } = process.env;
const credentials = { accessKeyId: key, secretAccessKey: key };
const region = "us-west-2";
const handlers = { "HTTP/1.1": NodeHttpHandler, "HTTP/2": NodeHttp2Handler };
const call = { modelId: "claude", messages: [{ role: "user", content: [{ text: "ping" }] }] };

async function refusedAs(client, command, name) {
  await assert.rejects(client.send(command), (error) => {
    assert.equal(error.name, name);
    return true;
  });
}

for (const [protocol, Handler] of Object.entries(handlers)) {
  const make = (options) =>
    new BedrockRuntimeClient({ endpoint, region, requestHandler: new Handler(), maxAttempts: 1, ...options });
  const client = make({ credentials });

  check(`converse, ${protocol}`, async () => {
    const answer = await client.send(new ConverseCommand(call));
    assert.equal(answer.output.message.content[0].text, "pong");
    assert.equal(answer.usage.inputTokens, 7);
  });

  check(`converse stream, ${protocol}`, async () => {
    const answer = await client.send(new ConverseStreamCommand(call));
    const events = await collect(answer.stream);
    assert.equal(events.map((each) => each.contentBlockDelta?.delta.text ?? "").join(""), "pong");
    assert.equal(events.at(-1).metadata.usage.totalTokens, 10);
  });

  check(`invoke, ${protocol}`, async () => {
    const answer = await client.send(new InvokeModelCommand({ modelId: "claude", body: "{}" }));
    assert.equal(JSON.parse(answer.body.transformToString()).content[0].text, "pong");
  });

  check(`invoke stream, ${protocol}`, async () => {
    const answer = await client.send(new InvokeModelWithResponseStreamCommand({ modelId: "claude", body: "{}" }));
    const events = (await collect(answer.body)).map((each) => JSON.parse(new TextDecoder().decode(each.chunk.bytes)));
    assert.equal(events[0].type, "message_start");
    assert.equal(events.at(-1).type, "message_stop");
  });

  check(`bearer, ${protocol}`, async () => {
    const bearer = make({ token: { token: key }, authSchemePreference: ["httpBearerAuth"] });
    assert.equal((await bearer.send(new ConverseCommand(call))).stopReason, "end_turn");
  });

  check(`wrong secret, ${protocol}`, async () => {
    const wrong = make({ credentials: { accessKeyId: key, secretAccessKey: "canary-another-secret" } });
    await refusedAs(wrong, new ConverseCommand(call), "InvalidSignatureException");
  });

  check(`throttled, ${protocol}`, async () => {
    await refusedAs(client, new ConverseCommand({ ...call, modelId: "throttled" }), "ThrottlingException");
  });

  check(`a stream that breaks, ${protocol}`, async () => {
    const answer = await client.send(new ConverseStreamCommand({ ...call, modelId: "cut" }));
    await assert.rejects(collect(answer.stream), (error) => {
      assert.match(error.name, /ModelStreamErrorException/i);
      return true;
    });
  });
}

await run();

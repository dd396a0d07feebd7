#include "gateway/conversion/transcoder.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/base64.h"

namespace llmgw::gateway {
namespace {

using chat::Dialect;
using chat::Framing;

class TranscoderTest : public testing::Test {
 protected:
  Transcoder::Sides sides(Dialect provider, Framing upstream, Dialect client, Framing framing) {
    return {.provider = *dialects::find_codec(provider),
            .client = *dialects::find_codec(client),
            .read = {.parser = parser_, .arena = arena_, .model = "m", .id_seed = "seed"},
            .write = {.parser = writer_parser_,
                      .arena = arena_,
                      .request_id = "req",
                      .model = "alias",
                      .request = &request_,
                      .framing = framing},
            .upstream_framing = upstream};
  }

  json::Parser parser_;
  json::Parser writer_parser_;
  base::Arena arena_;
  chat::Request request_;
};

constexpr std::string_view kChunks = R"([{"candidates":[{"content":{"parts":[{"text":"one "}]}}]},
{"candidates":[{"content":{"parts":[{"text":"two"}]},"finishReason":"STOP"}],"usageMetadata":{"totalTokenCount":3}}])";

// Gemini's stream without alt=sse: an element goes on as soon as it is whole.
TEST_F(TranscoderTest, AnArrayIsAStream) {
  const auto both = sides(Dialect::gemini, Framing::json, Dialect::anthropic, Framing::sse);
  std::string whole;
  {
    Transcoder transcoder(both);
    const size_t half = kChunks.find('\n');
    transcoder.feed(kChunks.substr(0, half));
    EXPECT_TRUE(transcoder.started());
    EXPECT_NE(transcoder.output().find("one "), std::string::npos) << "before the array's end";
    transcoder.feed(kChunks.substr(half));
    transcoder.finish();
    EXPECT_TRUE(transcoder.over());
    EXPECT_FALSE(transcoder.error().has_value());
    whole = transcoder.output();
  }
  for (size_t at = 0; at <= kChunks.size(); ++at) {
    Transcoder transcoder(both);
    transcoder.feed(kChunks.substr(0, at));
    transcoder.feed(kChunks.substr(at));
    transcoder.finish();
    EXPECT_EQ(transcoder.output(), whole) << at;
  }
}

// Tokens are estimated from it, so it must not depend on the client's protocol or on where the stream was cut.
TEST_F(TranscoderTest, TextIsCountedAsTheProviderSentIt) {
  for (const Dialect client : {Dialect::openai_chat, Dialect::openai_responses, Dialect::anthropic, Dialect::cohere}) {
    Transcoder transcoder(sides(Dialect::gemini, Framing::json, client, Framing::sse));
    transcoder.feed(kChunks.substr(0, kChunks.find('\n')));
    EXPECT_EQ(transcoder.text_bytes(), 4u);
    transcoder.feed(kChunks.substr(kChunks.find('\n')));
    transcoder.finish();
    EXPECT_EQ(transcoder.text_bytes(), 7u);
  }
}

TEST_F(TranscoderTest, WhatSaysSomethingIsToldApart) {
  struct Piece {
    std::string_view event;
    bool says;
  };
  constexpr Piece kPieces[] = {
      {R"({"type":"message_start","message":{"id":"msg_1","model":"m","content":[],"usage":{"input_tokens":3}}})",
       false},
      {R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})", false},
      {R"({"type":"ping"})", false},
      {R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"word"}})", true},
      {R"({"type":"content_block_stop","index":0})", false},
      {R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}})", false},
      {R"({"type":"message_stop"})", true},  // only now is the client told of the end
  };
  for (const Dialect client : {Dialect::openai_chat, Dialect::openai_responses, Dialect::cohere}) {
    Transcoder transcoder(sides(Dialect::anthropic, Framing::sse, client, Framing::sse));
    for (const Piece& piece : kPieces) {
      transcoder.feed("data: " + std::string(piece.event) + "\n\n");
      EXPECT_EQ(transcoder.take_content(), piece.says) << piece.event;
      EXPECT_FALSE(transcoder.take_content());
    }
    EXPECT_TRUE(transcoder.over());
  }
}

struct Way {
  Dialect dialect;
  Framing framing;
};
constexpr Way kWays[] = {
    {Dialect::openai_chat, Framing::sse}, {Dialect::openai_responses, Framing::sse},
    {Dialect::anthropic, Framing::sse},   {Dialect::gemini, Framing::sse},
    {Dialect::cohere, Framing::sse},      {Dialect::bedrock, Framing::event_stream},
};

constexpr std::string_view kTold[] = {
    R"({"type":"message_start","message":{"id":"msg_1","model":"m","content":[],"usage":{"input_tokens":3}}})",
    R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})",
    R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"p\u00f6ng \ud83d\ude00 \"}\n"}})",
    R"({"type":"content_block_stop","index":0})",
    R"({"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}})",
    R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":\"\\u26"}})",
    R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"3a\"}"}})",
    R"({"type":"content_block_stop","index":1})",
    R"({"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":2}})",
    R"({"type":"message_stop"})",
};

// Every provider's stream, cut in two at every byte: what a client gets is the same. The clients take turns.
TEST_F(TranscoderTest, WhereTheBytesAreCutDoesNotMatter) {
  for (const Way& provider : kWays) {
    Transcoder maker(sides(Dialect::anthropic, Framing::sse, provider.dialect, provider.framing));
    for (const std::string_view event : kTold) maker.feed("data: " + std::string(event) + "\n\n");
    maker.finish();
    ASSERT_FALSE(maker.error().has_value());
    const std::string stream = maker.output();
    const auto read = [&](const Way& client, size_t at) {
      Transcoder transcoder(sides(provider.dialect, provider.framing, client.dialect, client.framing));
      transcoder.feed(std::string_view(stream).substr(0, at));
      transcoder.feed(std::string_view(stream).substr(at));
      transcoder.finish();
      EXPECT_FALSE(transcoder.error().has_value()) << to_string(provider.dialect) << " " << at;
      return transcoder.output();
    };
    std::vector<std::string> whole;
    for (const Way& client : kWays) whole.push_back(read(client, 0));
    for (size_t at = 1; at < stream.size(); ++at) {
      const size_t turn = at % std::size(kWays);
      ASSERT_EQ(read(kWays[turn], at), whole[turn])
          << to_string(provider.dialect) << " to " << to_string(kWays[turn].dialect) << " cut at " << at;
    }
    for (size_t turn = 0; turn < std::size(kWays); ++turn) {
      Transcoder transcoder(sides(provider.dialect, provider.framing, kWays[turn].dialect, kWays[turn].framing));
      for (const char& byte : stream) transcoder.feed({&byte, 1});
      transcoder.finish();
      EXPECT_EQ(transcoder.output(), whole[turn]) << to_string(provider.dialect) << ", byte by byte";
    }
  }
}

// It has its own word in some dialects and is a failure in the others, with what the provider said of it.
TEST_F(TranscoderTest, ACallThatTheModelFailedToMakeIsNoMatterOfSafety) {
  constexpr std::string_view kMalformed =
      R"({"candidates":[{"content":{"parts":[{"text":"so"}]},"finishReason":"MALFORMED_FUNCTION_CALL",)"
      R"("finishMessage":"Malformed call: f("}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2}})";
  for (const Framing framing : {Framing::json, Framing::sse}) {
    for (const Dialect client : {Dialect::openai_chat, Dialect::anthropic}) {
      for (const bool streamed : {false, true}) {
        Transcoder transcoder(sides(Dialect::gemini, streamed ? Framing::sse : Framing::json, client, framing));
        transcoder.feed(streamed ? "data: " + std::string(kMalformed) + "\n\n" : std::string(kMalformed));
        transcoder.finish();
        ASSERT_TRUE(transcoder.over() && transcoder.error());
        EXPECT_EQ(transcoder.error()->kind, chat::ErrorKind::upstream_failed);
        EXPECT_EQ(transcoder.error()->message, "Malformed call: f(");
        EXPECT_EQ(transcoder.usage().output, 2u) << "it is paid for";
        EXPECT_EQ(transcoder.output().find("[DONE]"), std::string::npos);
        EXPECT_EQ(transcoder.output().find("content_filter"), std::string::npos);
      }
    }
    Transcoder named(sides(Dialect::gemini, Framing::json, Dialect::openai_responses, framing));
    named.feed(kMalformed);
    named.finish();
    EXPECT_FALSE(named.error());
    EXPECT_NE(named.output().find("Malformed call: f("), std::string::npos) << named.output();
  }
}

// The client is told that it stopped, and that nobody knows whether it did.
TEST_F(TranscoderTest, AnEndThatNobodyUnderstandsIsNamed) {
  const auto named = [&](std::string_view finish, Dialect client) {
    Transcoder transcoder(sides(Dialect::openai_chat, Framing::json, client, Framing::json));
    transcoder.feed(R"({"choices":[{"index":0,"message":{"content":"a"},"finish_reason":)" + std::string(finish) +
                    "}]}");
    transcoder.finish();
    EXPECT_FALSE(transcoder.error());
    return std::string(transcoder.unknown_finish());
  };
  EXPECT_EQ(named(R"("stop")", Dialect::anthropic), "");
  EXPECT_EQ(named(R"("repetition")", Dialect::anthropic), "repetition");
  EXPECT_EQ(named("null", Dialect::gemini), "nothing");
  EXPECT_EQ(named('"' + std::string(500, 'x') + '"', Dialect::gemini).size(), 64u) << "it goes into a header";
  EXPECT_EQ(named(R"("repetition")", Dialect::openai_chat), "") << "its own clients get the word";
}

TEST_F(TranscoderTest, ACutArrayIsNoEnd) {
  for (const size_t at : {size_t{1}, kChunks.find('\n'), kChunks.size() - 1}) {
    Transcoder transcoder(sides(Dialect::gemini, Framing::json, Dialect::openai_chat, Framing::sse));
    transcoder.feed(kChunks.substr(0, at));
    transcoder.finish();
    EXPECT_TRUE(transcoder.error().has_value()) << at;
    EXPECT_EQ(transcoder.output().find("[DONE]"), std::string::npos) << at;
  }
}

std::string chunk(std::string_view json) {
  std::string text(base::base64_size(json.size()), '\0');
  base::base64_encode(json, text.data());
  std::string out;
  http::append_event_stream_event(out, "chunk", R"({"p":"bytes","bytes":")" + text + R"("})");
  return out;
}

constexpr std::string_view kMessage[] = {
    R"({"type":"message_start","message":{"id":"msg_1","model":"m","content":[],"usage":{"input_tokens":3}}})",
    R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})",
    R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"pong"}})",
    R"({"type":"content_block_stop","index":0})",
    R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}})",
    R"({"type":"message_stop"})",
};

// InvokeModel's stream to a client of InvokeModel: unwrapped, read, written, wrapped.
TEST_F(TranscoderTest, InvokeModelOnBothSides) {
  auto both = sides(Dialect::anthropic, Framing::event_stream, Dialect::anthropic, Framing::event_stream);
  both.upstream_wrapped = both.client_wrapped = true;
  Transcoder transcoder(both);
  for (const std::string_view event : kMessage) transcoder.feed(chunk(event));
  transcoder.finish();
  ASSERT_TRUE(transcoder.over());
  ASSERT_FALSE(transcoder.error().has_value());
  // What came out is such a stream again.
  const std::string out = transcoder.output();
  auto to_text = sides(Dialect::anthropic, Framing::event_stream, Dialect::openai_chat, Framing::json);
  to_text.upstream_wrapped = true;
  Transcoder again(to_text);
  again.feed(out);
  again.finish();
  EXPECT_NE(again.output().find(R"("content":"pong")"), std::string::npos) << again.output();
}

TEST_F(TranscoderTest, AnErrorInInvokeModelsStreamIsAnException) {
  auto both = sides(Dialect::anthropic, Framing::sse, Dialect::anthropic, Framing::event_stream);
  both.client_wrapped = true;
  Transcoder transcoder(both);
  for (size_t i = 0; i < 3; ++i) transcoder.feed("data: " + std::string(kMessage[i]) + "\n\n");
  transcoder.fail({.kind = chat::ErrorKind::upstream_failed, .message = "gone"});
  EXPECT_TRUE(transcoder.error_event_written());
  EXPECT_NE(transcoder.output().find(":exception-type"), std::string::npos);
  EXPECT_NE(transcoder.output().find("gone"), std::string::npos);
}

// What the service says of the stream comes to any client as it does from Converse.
TEST_F(TranscoderTest, AnExceptionInInvokeModelsStreamIsWhatConverseSays) {
  std::vector<std::string> frames;
  for (const char* const type : {"throttlingException", "validationException", "modelStreamErrorException",
                                 "serviceUnavailableException", "internalServerException", "modelTimeoutException"}) {
    http::append_event_stream_exception(frames.emplace_back(), type, R"({"message":"mid oops"})");
  }
  const http::EventStreamField headers[] = {
      {":message-type", "error"}, {":error-code", "throttlingException"}, {":error-message", "mid oops"}};
  http::append_event_stream_message(frames.emplace_back(), headers, {});
  for (const std::string& frame : frames) {
    for (const bool begun : {false, true}) {
      auto both = sides(Dialect::anthropic, Framing::event_stream, Dialect::openai_chat, Framing::sse);
      both.upstream_wrapped = true;
      Transcoder invoke(both);
      for (size_t i = 0; begun && i < 3; ++i) invoke.feed(chunk(kMessage[i]));
      invoke.feed(frame);
      invoke.finish();
      Transcoder converse(sides(Dialect::bedrock, Framing::event_stream, Dialect::openai_chat, Framing::sse));
      converse.feed(frame);
      converse.finish();
      ASSERT_TRUE(invoke.error() && converse.error());
      EXPECT_EQ(invoke.error()->message, "mid oops");
      EXPECT_EQ(invoke.error()->message, converse.error()->message);
      EXPECT_EQ(invoke.error()->kind, converse.error()->kind);
      EXPECT_EQ(invoke.error()->status, converse.error()->status);
      EXPECT_EQ(invoke.started(), begun);
    }
  }
}

TEST_F(TranscoderTest, DamagedChunksAreAnError) {
  for (const char* const payload : {"{}", R"({"bytes":"!"})", R"({"bytes":3})"}) {
    auto both = sides(Dialect::anthropic, Framing::event_stream, Dialect::openai_chat, Framing::sse);
    both.upstream_wrapped = true;
    Transcoder transcoder(both);
    std::string frame;
    http::append_event_stream_event(frame, "chunk", payload);
    transcoder.feed(frame);
    EXPECT_TRUE(transcoder.error().has_value()) << payload;
  }
}

// An image goes where answers have a place for it, and is named where they have none.
TEST_F(TranscoderTest, MediaWithoutAPlaceAreNamed) {
  constexpr std::string_view kImage =
      R"({"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},"finishReason":"STOP"}]})";
  struct Row {
    Dialect client;
    Framing framing;
    bool carried;
  };
  const Row rows[] = {
      {Dialect::anthropic, Framing::json, false},      {Dialect::anthropic, Framing::sse, false},
      {Dialect::cohere, Framing::json, false},         {Dialect::bedrock, Framing::event_stream, true},
      {Dialect::bedrock, Framing::json, true},         {Dialect::openai_chat, Framing::json, true},
      {Dialect::openai_responses, Framing::sse, true}, {Dialect::gemini, Framing::sse, true},
  };
  for (const Row& row : rows) {
    Transcoder transcoder(sides(Dialect::gemini, Framing::json, row.client, row.framing));
    transcoder.feed(kImage);
    transcoder.finish();
    ASSERT_TRUE(transcoder.over());
    EXPECT_EQ(transcoder.dropped(), row.carried ? "" : "image") << chat::to_string(row.client);
    EXPECT_EQ(transcoder.output().find("AAAA") != std::string::npos, row.carried) << transcoder.output();
  }
}

// So are the tools that the provider ran itself.
TEST_F(TranscoderTest, WhatTheProvidersOwnToolsDidIsNamed) {
  constexpr std::string_view kGemini =
      R"({"candidates":[{"content":{"parts":[{"executableCode":{"language":"PYTHON","code":"1"}},)"
      R"({"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}},{"text":"so"}]},"finishReason":"STOP"}]})";
  constexpr std::string_view kAnthropic =
      R"({"id":"m","type":"message","role":"assistant","model":"m","stop_reason":"end_turn","content":[)"
      R"({"type":"server_tool_use","id":"s1","name":"web_search","input":{"query":"q"}},)"
      R"({"type":"web_search_tool_result","tool_use_id":"s1","content":[]},{"type":"text","text":"so"}]})";
  for (const auto& [provider, body] :
       {std::pair{Dialect::gemini, kGemini}, std::pair{Dialect::anthropic, kAnthropic}}) {
    for (const Dialect client : dialects::kCodecDialects) {
      Transcoder transcoder(sides(provider, Framing::json, client, Framing::json));
      transcoder.feed(body);
      transcoder.finish();
      ASSERT_TRUE(transcoder.over() && !transcoder.error());
      EXPECT_EQ(transcoder.dropped().empty(), client == provider) << to_string(client);
      EXPECT_NE(transcoder.output().find("so"), std::string::npos);
    }
  }
}

std::string chat_event(std::string_view text) {
  return R"(data: {"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":")" + std::string(text) +
         "\"},\"finish_reason\":null}]}\n\n";
}

// What Claude adds to the beginning it was given.
constexpr std::string_view kRest =
    "event: message_start\n"
    R"(data: {"type":"message_start","message":{"id":"msg_2","role":"assistant","content":[],"usage":{"input_tokens":9}}})"
    "\n\nevent: content_block_start\n"
    R"(data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})"
    "\n\nevent: content_block_delta\n"
    R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" world."}})"
    "\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\n"
    R"(data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}})"
    "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

// Whatever the client speaks, it reads one legal stream, with the text whole and the usage of both.
TEST_F(TranscoderTest, AnotherProviderFinishesAStream) {
  const std::pair<Dialect, Framing> clients[] = {
      {Dialect::openai_chat, Framing::sse},   {Dialect::openai_responses, Framing::sse},
      {Dialect::anthropic, Framing::sse},     {Dialect::gemini, Framing::sse},
      {Dialect::gemini, Framing::json_array}, {Dialect::bedrock, Framing::event_stream},
      {Dialect::cohere, Framing::sse}};
  for (const auto& [client, framing] : clients) {
    SCOPED_TRACE(static_cast<int>(client));
    auto first = sides(Dialect::openai_chat, Framing::sse, client, framing);
    first.continuable = true;
    Transcoder transcoder(first);
    transcoder.feed(chat_event("Hello ") + chat_event("big "));
    transcoder.fail({.kind = chat::ErrorKind::upstream_failed, .message = "broke"});
    ASSERT_TRUE(transcoder.error() && transcoder.can_continue());
    EXPECT_EQ(transcoder.beginning(), "Hello big");
    chat::Usage used;
    used.input = 5;
    used.output = 2;
    auto second = sides(Dialect::anthropic, Framing::sse, client, framing);
    second.continuable = true;
    transcoder.resume(second, used);
    EXPECT_FALSE(transcoder.error() || transcoder.over());
    transcoder.feed(kRest);
    transcoder.finish();
    EXPECT_TRUE(transcoder.over() && !transcoder.error());
    // As the client reads it.
    auto back = sides(client, framing, Dialect::anthropic, Framing::json);
    Transcoder reader(back);
    reader.feed(transcoder.output());
    reader.finish();
    EXPECT_FALSE(reader.error()) << transcoder.output();
    EXPECT_NE(reader.output().find("Hello big world."), std::string::npos) << transcoder.output();
    EXPECT_EQ(reader.usage().output, 6u) << transcoder.output();
    EXPECT_EQ(reader.usage().total_input(), 14u) << transcoder.output();
  }
}

TEST_F(TranscoderTest, WhereNobodyFinishesItTheErrorIsTold) {
  for (const Dialect client : {Dialect::openai_chat, Dialect::openai_responses, Dialect::anthropic, Dialect::gemini}) {
    auto both = sides(Dialect::openai_chat, Framing::sse, client, Framing::sse);
    both.continuable = true;
    Transcoder transcoder(both);
    transcoder.feed(chat_event("Hello "));
    const size_t before = transcoder.output().size();
    transcoder.fail({.kind = chat::ErrorKind::upstream_failed, .message = "it broke off"});
    EXPECT_EQ(transcoder.output().size(), before);
    transcoder.write_failure();
    const std::string told = transcoder.output().substr(before);
    EXPECT_NE(told.find("it broke off"), std::string::npos);
    transcoder.write_failure();
    EXPECT_EQ(transcoder.output().size(), before + told.size()) << "told once";
  }
}

}  // namespace
}  // namespace llmgw::gateway

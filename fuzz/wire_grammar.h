// The order of events that each dialect's streams keep, whatever is in them: what SDKs rely on. A checker takes a
// writer's events one at a time and aborts the fuzzer at the first that may not stand there.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "chat/stream.h"
#include "json/tree.h"

namespace llmgw::fuzz {

class WireGrammar {
 public:
  virtual ~WireGrammar() = default;

  void take(const chat::WireEvent& event) {
    last_ = std::string(event.name) + " " + std::string(event.data);
    check(!over_, "nothing follows the end");
    if (event.exception) {
      over_ = true;
      return;
    }
    if (event.data == "[DONE]") return done();
    arena_.reset();
    const auto root = json::parse_tree(parser_, event.data, arena_);
    check(root.has_value() && root->is_object(), "every event is a JSON object");
    this->event(event.name, *root);
  }
  // No error was told, and no more comes.
  void finish() { check(complete_, "a stream that did not fail has its end"); }

 protected:
  virtual void event(std::string_view name, json::Value root) = 0;
  virtual void done() { check(false, "[DONE] is OpenAI's"); }

  void check(bool holds, const char* what) const {
    if (holds) return;
    std::fprintf(stderr, "broken: %s, at: %s\n", what, last_.c_str());
    std::abort();
  }
  std::string text(json::Value value) { return std::string(value.string(arena_)); }

  bool over_ = false;
  bool complete_ = false;

 private:
  json::Parser parser_;
  base::Arena arena_;
  std::string last_;
};

class AnthropicGrammar final : public WireGrammar {
  void event(std::string_view name, json::Value root) override {
    const std::string type = text(root["type"]);
    check(type == name, "the event's name is its type");
    if (type == "ping") return;
    if (type == "error") {
      over_ = true;
      return;
    }
    if (type == "message_start") {
      check(!started_, "one start");
      started_ = true;
      return;
    }
    check(started_, "the start comes first");
    if (type == "content_block_start") {
      check(!open_ && !delta_seen_, "one block at a time");
      check(root["index"].unsigned_integer() == index_, "blocks are numbered from 0");
      open_ = true;
    } else if (type == "content_block_delta" || type == "content_block_stop") {
      check(open_ && root["index"].unsigned_integer() == index_, "of the open block");
      if (type == "content_block_stop") {
        open_ = false;
        ++index_;
      }
    } else if (type == "message_delta") {
      check(!open_ && !delta_seen_, "one message_delta, behind the blocks");
      check(root["delta"]["stop_reason"].is_string(), "a reason to stop");
      check(root["usage"]["output_tokens"].unsigned_integer().has_value(), "usage");
      delta_seen_ = true;
    } else {
      check(type == "message_stop" && delta_seen_, "a known event");
      over_ = complete_ = true;
    }
  }
  bool started_ = false;
  bool open_ = false;
  bool delta_seen_ = false;
  uint64_t index_ = 0;
};

class ChatGrammar final : public WireGrammar {
  void event(std::string_view, json::Value root) override {
    if (root["error"].is_object()) {
      over_ = true;
      return;
    }
    const std::string id = text(root["id"]);
    check(!id.empty() && (id_.empty() || id == id_), "one id for all chunks");
    id_ = id;
    check(root["object"].equals("chat.completion.chunk") && root["choices"].is_array(), "a chunk");
    for (const json::Value choice : root["choices"].elements()) {
      const uint64_t index = choice["index"].unsigned_integer().value_or(UINT64_MAX);
      check(!finished_.contains(index), "nothing follows a choice's finish");
      check(begun_.contains(index) || choice["delta"]["role"].equals("assistant"), "the role comes first");
      begun_.insert(index);
      if (choice["finish_reason"].is_string()) finished_.insert(index);
    }
  }
  void done() override {
    check(!begun_.empty() && begun_ == finished_, "every choice finished");
    over_ = complete_ = true;
  }
  std::string id_;
  std::set<uint64_t> begun_;
  std::set<uint64_t> finished_;
};

class ResponsesGrammar final : public WireGrammar {
  void event(std::string_view name, json::Value root) override {
    const std::string type = text(root["type"]);
    check(type == name, "the event's name is its type");
    check(root["sequence_number"].unsigned_integer() == number_++, "numbers rise by one");
    // An error is told twice: as such, and as what became of the response.
    if (failed_) {
      check(type == "response.failed", "nothing else follows an error");
      over_ = true;
      return;
    }
    if (type == "error") {
      failed_ = true;
      return;
    }
    if (number_ == 1) return check(type == "response.created", "the start comes first");
    if (type == "response.in_progress") return check(number_ == 2, "in progress comes second");
    if (type == "response.completed" || type == "response.incomplete" || type == "response.failed") {
      check(!item_open_, "items are closed at the end");
      over_ = complete_ = true;
      return;
    }
    const auto index = root["output_index"].unsigned_integer();
    check(index == index_, "of the item at hand");
    if (type == "response.output_item.added") {
      check(!item_open_, "one item at a time");
      item_open_ = true;
    } else if (type == "response.output_item.done") {
      check(item_open_ && !part_open_, "an open item without open parts");
      item_open_ = false;
      ++index_;
    } else {
      check(item_open_, "inside an item");
      if (type.ends_with("part.added")) {
        check(!part_open_, "one part at a time");
        part_open_ = true;
      } else if (type.ends_with("part.done")) {
        check(part_open_, "an open part");
        part_open_ = false;
      }
    }
  }
  uint64_t number_ = 0;
  uint64_t index_ = 0;
  bool failed_ = false;
  bool item_open_ = false;
  bool part_open_ = false;
};

class GeminiGrammar final : public WireGrammar {
  void event(std::string_view, json::Value root) override {
    if (root["error"].is_object()) {
      over_ = true;
      return;
    }
    for (const json::Value candidate : root["candidates"].elements()) {
      const uint64_t index = candidate["index"].unsigned_integer().value_or(0);
      check(!finished_.contains(index), "nothing follows a candidate's finish");
      if (candidate["finishReason"].is_string()) finished_.insert(index);
    }
    complete_ = complete_ || !finished_.empty() || root["promptFeedback"].is_object();
  }
  std::set<uint64_t> finished_;
};

class BedrockGrammar final : public WireGrammar {
  void event(std::string_view name, json::Value root) override {
    if (name == "messageStart") {
      check(!started_, "one start");
      started_ = true;
      return;
    }
    check(started_, "the start comes first");
    if (name == "contentBlockStart" || name == "contentBlockDelta") {
      check(!stopped_, "blocks come before the stop");
      const bool same = open_ && root["contentBlockIndex"].unsigned_integer() == index_;
      check(name == "contentBlockDelta" || !open_, "one block at a time");
      if (!same) {
        check(!open_ && root["contentBlockIndex"].unsigned_integer() == index_, "blocks are numbered from 0");
        open_ = true;
      }
    } else if (name == "contentBlockStop") {
      check(open_ && root["contentBlockIndex"].unsigned_integer() == index_, "of the open block");
      open_ = false;
      ++index_;
    } else if (name == "messageStop") {
      check(!open_ && !stopped_ && root["stopReason"].is_string(), "one stop, behind the blocks");
      stopped_ = true;
    } else {
      check(name == "metadata" && stopped_, "a known event");
      check(root["usage"]["totalTokens"].unsigned_integer().has_value(), "usage");
      over_ = complete_ = true;
    }
  }
  bool started_ = false;
  bool open_ = false;
  bool stopped_ = false;
  uint64_t index_ = 0;
};

class CohereGrammar final : public WireGrammar {
  void event(std::string_view, json::Value root) override {
    const std::string type = text(root["type"]);
    if (!started_) {
      check(type == "message-start", "the start comes first");
      started_ = true;
      return;
    }
    if (type == "message-end" && root["delta"]["error"].is_string()) {
      over_ = true;
    } else if (type == "message-end") {
      check(open_.empty(), "everything is closed at the end");
      over_ = complete_ = true;
    } else if (type == "content-start" || type == "tool-call-start" || type == "citation-start") {
      check(type == "citation-start" || open_.empty(), "one part at a time");
      if (type == "citation-start") {
        citation_ = true;
      } else {
        open_ = type.substr(0, type.rfind('-'));
      }
    } else if (type == "citation-end") {
      check(citation_, "an open citation");
      citation_ = false;
    } else if (type == "tool-plan-delta") {
      check(open_.empty(), "a plan stands by itself");
    } else {
      check(type.substr(0, type.rfind('-')) == open_, "of the open part");
      if (type.ends_with("-end")) open_.clear();
    }
  }
  bool started_ = false;
  bool citation_ = false;
  std::string open_;
};

inline std::unique_ptr<WireGrammar> grammar_of(chat::Dialect dialect) {
  switch (dialect) {
    case chat::Dialect::anthropic: return std::make_unique<AnthropicGrammar>();
    case chat::Dialect::openai_responses: return std::make_unique<ResponsesGrammar>();
    case chat::Dialect::gemini: return std::make_unique<GeminiGrammar>();
    case chat::Dialect::bedrock: return std::make_unique<BedrockGrammar>();
    case chat::Dialect::cohere: return std::make_unique<CohereGrammar>();
    default: return std::make_unique<ChatGrammar>();
  }
}

}  // namespace llmgw::fuzz

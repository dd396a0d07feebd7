// Events of a streamed message: message_start, then content_block_start, _delta and _stop for one block after the
// other, message_delta, message_stop; ping and error anywhere (platform.claude.com, streaming messages, August 2026).
// The Parser may be shared with whoever takes the events, so nothing of a document is asked for after the first event
// that was made of it.
#include <string>
#include <utility>
#include <vector>

#include "dialects/anthropic/block_reader.h"
#include "dialects/anthropic/error_body.h"
#include "dialects/anthropic/functions.h"
#include "dialects/anthropic/meaning.h"
#include "json/writer.h"

namespace llmgw::dialects::anthropic {
namespace {

using chat::EventKind;
using chat::Part;
using chat::PartKind;
using json::Value;

// Blocks that are open at once: one, by the protocol; a few more for hosts that do not keep to it.
constexpr size_t kOpenBlocksMax = 64;
// A server tool's block waits until it is whole: results of a search are some hundred KiB.
constexpr size_t kOpaqueBytesMax = size_t{16} << 20;

class Reader final : public StreamReader {
 public:
  explicit Reader(const ReadContext& context) : context_(context) {}

  void read(const chat::WireEvent& event, chat::EventSink& sink) override {
    scratch_.reset();
    const auto root = json::parse_tree(context_.parser, event.data, scratch_);
    if (!root || !root->is_object()) {
      fail({.kind = chat::ErrorKind::upstream_failed, .message = "The provider sent an event that is no JSON object."},
           sink);
      return;
    }
    const Value type = (*root)["type"];
    const auto is = [&](std::string_view name) { return type.present() ? type.equals(name) : event.name == name; };
    if (is("content_block_delta")) {
      block_delta(*root, sink);
    } else if (is("content_block_start")) {
      block_start(*root, sink);
    } else if (is("content_block_stop")) {
      block_stop(index_of(*root), sink);
    } else if (is("message_start")) {
      message_start((*root)["message"], sink);
    } else if (is("message_delta")) {
      message_delta(*root, sink);
    } else if (is("message_stop")) {
      sink.event({.kind = EventKind::end});
    } else if (is("error") || is_flat_error(*root)) {
      fail(error_of(*root, 0, scratch_), sink);
    } else if (is("ping")) {
      sink.event({.kind = EventKind::keep_alive});
    }
  }

  // message_stop ends a stream; without it, it was cut.
  void transport_ended(chat::EventSink&) override {}

 private:
  enum class Shape : uint8_t { part, opaque };
  struct Block {
    uint32_t index = 0;
    uint32_t part = 0;
    Shape shape = Shape::part;
    bool any_delta = false;
    std::string head = {};   // opaque: the block as it began; a tool call: its input as it began, if not empty
    std::string input = {};  // opaque: the deltas of its input
    std::string content = {};
  };

  static uint32_t index_of(Value root) { return static_cast<uint32_t>(root["index"].unsigned_integer().value_or(0)); }

  static void fail(const chat::ClientError& error, chat::EventSink& sink) {
    sink.event({.kind = EventKind::error, .error = &error});
  }

  Block* find(uint32_t index) {
    for (Block& block : open_) {
      if (block.index == index) return &block;
    }
    return nullptr;
  }

  void message_start(Value message, chat::EventSink& sink) {
    chat::Answer answer;
    answer.id = message["id"].string(scratch_);
    answer.model = message["model"].string(scratch_);
    const Value usage = message["usage"];
    read_usage(usage, answer.usage);
    answer.service_tier = usage["service_tier"].string(scratch_);
    chat::List<Part> parts;
    chat::Choice choice;
    const bool first = !started_;
    started_ = true;
    if (first) {
      // A turn that was begun elsewhere (programmatic tool calls) comes with content.
      const ReadContext inner = context_.with(scratch_);
      BlockReader blocks(inner, false);
      for (const Value block : message["content"].elements()) blocks.read_block(block, parts);
      read_stop(message, scratch_, choice);
      sink.event({.kind = EventKind::start, .answer = &answer});
      for (const Part& part : parts) whole_part(part, sink);
      if (!choice.native_finish.empty()) finish(choice, sink);
      return;
    }
    while (!open_.empty()) block_stop(open_.back().index, sink);
    sink.event({.kind = EventKind::usage, .answer = &answer});
  }

  void whole_part(const Part& part, chat::EventSink& sink) {
    if (part.kind == PartKind::tool_call) any_tool_call_ = true;
    chat::StreamEvent event{.kind = EventKind::part_start, .part = next_part_++, .head = &part};
    sink.event(event);
    if (part.kind != PartKind::opaque && !part.text.empty()) {
      event.kind = EventKind::delta;
      event.text = part.text;
      sink.event(event);
    }
    if (!part.citations.empty()) {
      event.kind = EventKind::citations;
      event.text = part.citations;
      sink.event(event);
    }
    event.text = {};
    if (part.has_signature()) {
      event.kind = EventKind::signature;
      sink.event(event);
    }
    event.kind = EventKind::part_stop;
    sink.event(event);
  }

  void block_start(Value root, chat::EventSink& sink) {
    const uint32_t index = index_of(root);
    const Value value = root["content_block"];
    if (!value.is_object()) return;
    const Value type = value["type"];
    Block block{.index = index, .part = next_part_};
    Part head{.origin = chat::Dialect::anthropic};
    std::string_view text;
    std::string_view citations;
    std::string_view proof;
    if (type.equals("text")) {
      text = value["text"].string(scratch_);
      if (!value["citations"].empty()) citations = value["citations"].raw();
    } else if (type.equals("thinking")) {
      head.kind = PartKind::thinking;
      text = value["thinking"].string(scratch_);
      proof = value["signature"].string(scratch_);
    } else if (type.equals("redacted_thinking")) {
      head.kind = PartKind::thinking;
      head.redacted = true;
      proof = value["data"].string(scratch_);
    } else if (type.equals("tool_use")) {
      head.name = value["name"].string(scratch_);
      if (!value["input"].empty()) block.head = value["input"].raw();
      if (context_.is_format_tool(head.name)) {
        head.name = chat::kFormatToolName;
      } else {
        head.kind = PartKind::tool_call;
        head.id = value["id"].string(scratch_);
      }
    } else {
      block.shape = Shape::opaque;
      block.head = value.raw();
    }
    if (Block* const same = find(index)) block_stop(same->index, sink);
    if (open_.size() >= kOpenBlocksMax) {
      return fail({.kind = chat::ErrorKind::upstream_failed, .message = "The provider opened too many blocks at once."},
                  sink);
    }
    ++next_part_;
    if (head.kind == PartKind::tool_call) any_tool_call_ = true;
    open_.push_back(std::move(block));
    if (open_.back().shape == Shape::opaque) return;
    chat::StreamEvent event{.kind = EventKind::part_start, .part = open_.back().part, .head = &head};
    sink.event(event);
    if (!text.empty()) emit(open_.back(), EventKind::delta, text, sink);
    if (!citations.empty()) emit(open_.back(), EventKind::citations, citations, sink);
    if (!proof.empty()) sign(open_.back(), proof, sink);
  }

  void emit(const Block& block, EventKind kind, std::string_view text, chat::EventSink& sink) {
    const Part head{.origin = chat::Dialect::anthropic};
    sink.event({.kind = kind, .part = block.part, .text = text, .head = &head});
  }

  void sign(const Block& block, std::string_view data, chat::EventSink& sink) {
    const chat::Signature signature{.minter = context_.minter, .model = context_.model, .data = data};
    const Part head{.kind = PartKind::thinking, .origin = chat::Dialect::anthropic, .signature = &signature};
    sink.event({.kind = EventKind::signature, .part = block.part, .head = &head});
  }

  void block_delta(Value root, chat::EventSink& sink) {
    Block* const block = find(index_of(root));
    if (block == nullptr) return;
    const Value delta = root["delta"];
    const Value type = delta["type"];
    block->any_delta = true;
    if (type.equals("text_delta")) {
      emit(*block, EventKind::delta, delta["text"].string(scratch_), sink);
    } else if (type.equals("input_json_delta")) {
      const std::string_view json = delta["partial_json"].string(scratch_);
      if (block->shape != Shape::opaque) return emit(*block, EventKind::delta, json, sink);
      append(block->input, json, sink);
    } else if (type.equals("thinking_delta")) {
      emit(*block, EventKind::delta, delta["thinking"].string(scratch_), sink);
    } else if (type.equals("signature_delta")) {
      sign(*block, delta["signature"].string(scratch_), sink);
    } else if (type.equals("citations_delta")) {
      text_.assign("[").append(delta["citation"].raw()) += ']';
      emit(*block, EventKind::citations, text_, sink);
    } else if (type.equals("compaction_delta") && block->shape == Shape::opaque) {
      append(block->content, delta["content"].string(scratch_), sink);
    }
  }

  static void append(std::string& text, std::string_view more, chat::EventSink& sink) {
    if (text.size() + more.size() > kOpaqueBytesMax) {
      return fail({.kind = chat::ErrorKind::upstream_failed, .message = "The provider sent a block that is too large."},
                  sink);
    }
    text += more;
  }

  void block_stop(uint32_t index, chat::EventSink& sink) {
    Block* const found = find(index);
    if (found == nullptr) return;
    const Block block = std::move(*found);
    open_.erase(open_.begin() + (found - open_.data()));
    if (block.shape == Shape::opaque) {
      opaque(block, sink);
    } else if (!block.any_delta && !block.head.empty()) {
      emit(block, EventKind::delta, block.head, sink);
    }
    sink.event({.kind = EventKind::part_stop, .part = block.part});
  }

  // The block as an unstreamed answer would have it.
  void opaque(const Block& block, chat::EventSink& sink) {
    std::string_view json = block.head;
    const auto root = json::parse_tree(context_.parser, block.head, scratch_);
    Part head{.kind = PartKind::opaque, .origin = chat::Dialect::anthropic};
    if (root) head.name = (*root)["type"].string(scratch_);
    if (root && (!block.input.empty() || !block.content.empty())) {
      text_.clear();
      json::Writer writer(text_);
      writer.begin_object();
      for (const json::Member member : root->members()) {
        if (member.is("input") && !block.input.empty()) continue;
        if (member.is("content") && !block.content.empty()) continue;
        writer.raw_member(member.key(scratch_), member.value.raw());
      }
      if (!block.content.empty()) writer.member("content", block.content);
      if (!block.input.empty()) {
        const bool whole = json::parse_tree(context_.parser, block.input, scratch_).has_value();
        writer.raw_member("input", whole ? std::string_view(block.input) : "{}");
      }
      writer.end_object();
      json = text_;
    }
    head.text = json;
    sink.event({.kind = EventKind::part_start, .part = block.part, .head = &head});
  }

  void message_delta(Value root, chat::EventSink& sink) {
    chat::Choice choice;
    chat::Answer answer;
    read_stop(root["delta"], scratch_, choice);
    read_usage(root["usage"], answer.usage);
    if (!choice.native_finish.empty()) finish(choice, sink);
    if (answer.usage.known()) sink.event({.kind = EventKind::usage, .answer = &answer});
  }

  void finish(chat::Choice& choice, chat::EventSink& sink) {
    // The only tool called was the one that stands for a JSON answer.
    if (choice.finish == chat::Finish::tool && !any_tool_call_) choice.finish = chat::Finish::stop;
    chat::Answer answer;
    answer.choices = chat::List<chat::Choice>::of(&choice, 1);
    sink.event({.kind = EventKind::finish, .answer = &answer});
  }

  const ReadContext context_;
  base::Arena scratch_;  // of the event at hand
  std::string text_;
  std::vector<Block> open_;
  uint32_t next_part_ = 0;
  bool started_ = false;
  bool any_tool_call_ = false;
};

}  // namespace

std::unique_ptr<StreamReader> make_stream_reader(const ReadContext& context) {
  return std::make_unique<Reader>(context);
}

}  // namespace llmgw::dialects::anthropic

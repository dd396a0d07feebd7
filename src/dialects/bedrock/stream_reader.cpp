// Events of ConverseStream (service model, shape ConverseStreamOutput): messageStart, then for each block
// contentBlockStart (tools only), contentBlockDelta and contentBlockStop, messageStop, metadata with the usage. The
// Parser may be shared with whoever takes the events, so nothing of a document is asked for after the first event that
// was made of it.
#include <string>
#include <utility>
#include <vector>

#include "dialects/bedrock/functions.h"
#include "dialects/bedrock/meaning.h"
#include "json/writer.h"

namespace llmgw::dialects::bedrock {
namespace {

using chat::EventKind;
using chat::Part;
using chat::PartKind;
using json::Value;

// Blocks come one after the other; a few more for models that do not keep to it.
constexpr size_t kOpenBlocksMax = 64;
// A server tool's block waits until it is whole.
constexpr size_t kOpaqueBytesMax = size_t{16} << 20;

class Reader final : public StreamReader {
 public:
  explicit Reader(const ReadContext& context) : context_(context) {}

  void read(const chat::WireEvent& event, chat::EventSink& sink) override {
    scratch_.reset();
    if (event.exception) {
      chat::ClientError error = error_of(event.data, event.name, 0, context_, scratch_);
      return fail(error, sink);
    }
    const auto root = json::parse_tree(context_.parser, event.data, scratch_);
    if (!root || !root->is_object()) {
      return fail(
          {.kind = chat::ErrorKind::upstream_failed, .message = "The provider sent an event that is no JSON object."},
          sink);
    }
    if (event.name == "contentBlockDelta") {
      block_delta(*root, sink);
    } else if (event.name == "contentBlockStart") {
      block_start(*root, sink);
    } else if (event.name == "contentBlockStop") {
      block_stop(index_of(*root), sink);
    } else if (event.name == "messageStart") {
      const chat::Answer answer;
      sink.event({.kind = EventKind::start, .answer = &answer});
    } else if (event.name == "messageStop") {
      message_stop(*root, sink);
    } else if (event.name == "metadata") {
      metadata(*root, sink);
    }
  }

  void transport_ended(chat::EventSink& sink) override {
    if (stopped_ && !ended_) end(sink);
  }

 private:
  enum class Shape : uint8_t { none, text, thinking, redacted, call, opaque };
  struct Block {
    uint32_t index = 0;
    uint32_t part = 0;
    Shape shape = Shape::none;
    std::string text = {};  // a signature in pieces; an opaque tool's input
    std::string head = {};  // opaque: toolUse as it began
  };

  static uint32_t index_of(Value root) {
    return static_cast<uint32_t>(root["contentBlockIndex"].unsigned_integer().value_or(0));
  }

  static void fail(const chat::ClientError& error, chat::EventSink& sink) {
    sink.event({.kind = EventKind::error, .error = &error});
  }

  void end(chat::EventSink& sink) {
    ended_ = true;
    sink.event({.kind = EventKind::end});
  }

  // The block of that index with content of that shape; a block that turns to something else is closed first.
  Block* block_of(uint32_t index, Shape shape, const Part& head, chat::EventSink& sink) {
    for (Block& block : open_) {
      if (block.index != index) continue;
      if (block.shape == shape) return &block;
      block_stop(index, sink);
      break;
    }
    return open(index, shape, head, sink);
  }

  Block* open(uint32_t index, Shape shape, const Part& head, chat::EventSink& sink) {
    if (open_.size() >= kOpenBlocksMax) {
      fail({.kind = chat::ErrorKind::upstream_failed, .message = "The provider opened too many blocks at once."}, sink);
      return nullptr;
    }
    open_.push_back({.index = index, .part = next_part_++, .shape = shape});
    if (shape != Shape::opaque) {
      sink.event({.kind = EventKind::part_start, .part = open_.back().part, .head = &head});
    }
    return &open_.back();
  }

  void block_start(Value root, chat::EventSink& sink) {
    const uint32_t index = index_of(root);
    const Value tool = root["start"]["toolUse"];
    if (!tool.is_object()) return;  // results of server tools, images: nothing here can show them
    Part head{.kind = PartKind::tool_call, .origin = chat::Dialect::bedrock};
    head.id = tool["toolUseId"].string(scratch_);
    head.name = tool["name"].string(scratch_);
    const bool server = tool["type"].equals("server_tool_use");
    const std::string_view raw = tool.raw();
    block_stop(index, sink);
    if (server) {
      if (Block* const block = open(index, Shape::opaque, head, sink)) block->head = raw;
      return;
    }
    if (context_.is_format_tool(head.name)) {
      head = {.kind = PartKind::text, .origin = chat::Dialect::bedrock, .name = chat::kFormatToolName};
    } else {
      any_tool_call_ = true;
    }
    open(index, Shape::call, head, sink);
  }

  void block_delta(Value root, chat::EventSink& sink) {
    const uint32_t index = index_of(root);
    for (const json::Member member : root["delta"].members()) {
      const Value value = member.value;
      if (value.is_null()) continue;
      if (member.is("text")) return text(index, Shape::text, value.string(scratch_), sink);
      if (member.is("toolUse")) return tool_input(index, value["input"].string(scratch_), sink);
      if (member.is("reasoningContent")) return reasoning(index, value, sink);
      if (member.is("citation")) return citation(index, value, sink);
    }
  }

  void text(uint32_t index, Shape shape, std::string_view text, chat::EventSink& sink) {
    const Part head{.kind = shape == Shape::thinking ? PartKind::thinking : PartKind::text,
                    .origin = chat::Dialect::bedrock};
    if (const Block* const block = block_of(index, shape, head, sink)) {
      sink.event({.kind = EventKind::delta, .part = block->part, .text = text});
    }
  }

  void tool_input(uint32_t index, std::string_view input, chat::EventSink& sink) {
    for (Block& block : open_) {
      if (block.index != index) continue;
      if (block.shape == Shape::call) {
        sink.event({.kind = EventKind::delta, .part = block.part, .text = input});
      } else if (block.shape == Shape::opaque && block.text.size() + input.size() <= kOpaqueBytesMax) {
        block.text += input;
      }
      return;
    }
  }

  void reasoning(uint32_t index, Value value, chat::EventSink& sink) {
    const std::string_view words = value["text"].string(scratch_);
    const std::string_view signature = value["signature"].string(scratch_);
    const std::string_view hidden = value["redactedContent"].string(scratch_);
    if (!hidden.empty()) {
      const Part head{.kind = PartKind::thinking, .origin = chat::Dialect::bedrock, .redacted = true};
      if (Block* const block = block_of(index, Shape::redacted, head, sink)) block->text += hidden;
      return;
    }
    if (!words.empty()) text(index, Shape::thinking, words, sink);
    if (signature.empty()) return;
    const Part head{.kind = PartKind::thinking, .origin = chat::Dialect::bedrock};
    if (Block* const block = block_of(index, Shape::thinking, head, sink)) block->text += signature;
  }

  void citation(uint32_t index, Value value, chat::EventSink& sink) {
    const Part head{.origin = chat::Dialect::bedrock};
    text_.assign("[").append(value.raw()) += ']';
    if (const Block* const block = block_of(index, Shape::text, head, sink)) {
      sink.event({.kind = EventKind::citations, .part = block->part, .text = text_, .head = &head});
    }
  }

  void block_stop(uint32_t index, chat::EventSink& sink) {
    for (size_t i = 0; i < open_.size(); ++i) {
      if (open_[i].index != index) continue;
      const Block block = std::move(open_[i]);
      open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(i));
      close(block, sink);
      return;
    }
  }

  void close(const Block& block, chat::EventSink& sink) {
    if (block.shape == Shape::opaque) {
      opaque(block, sink);
    } else if ((block.shape == Shape::thinking || block.shape == Shape::redacted) && !block.text.empty()) {
      const chat::Signature signature{.minter = context_.minter, .model = context_.model, .data = block.text};
      const Part head{.kind = PartKind::thinking, .origin = chat::Dialect::bedrock, .signature = &signature};
      sink.event({.kind = EventKind::signature, .part = block.part, .head = &head});
    }
    sink.event({.kind = EventKind::part_stop, .part = block.part});
  }

  // The block as an unstreamed answer would have it.
  void opaque(const Block& block, chat::EventSink& sink) {
    text_.clear();
    json::Writer writer(text_);
    writer.begin_object().key("toolUse").begin_object();
    if (const auto root = json::parse_tree(context_.parser, block.head, scratch_)) {
      for (const json::Member member : root->members()) {
        if (!member.is("input")) writer.raw_member(member.key(scratch_), member.value.raw());
      }
    }
    const bool whole = json::parse_tree(context_.parser, block.text, scratch_).has_value();
    writer.raw_member("input", whole ? std::string_view(block.text) : "{}").end_object().end_object();
    const Part head{.kind = PartKind::opaque, .origin = chat::Dialect::bedrock, .text = text_};
    sink.event({.kind = EventKind::part_start, .part = block.part, .head = &head});
  }

  void message_stop(Value root, chat::EventSink& sink) {
    chat::Choice choice;
    read_stop_reason(root["stopReason"].string(scratch_), choice);
    choice.stop_sequence = root["additionalModelResponseFields"]["stop_sequence"].string(scratch_);
    if (choice.finish == chat::Finish::tool && !any_tool_call_) choice.finish = chat::Finish::stop;
    stopped_ = true;
    while (!open_.empty()) block_stop(open_.back().index, sink);
    chat::Answer answer;
    answer.choices = chat::List<chat::Choice>::of(&choice, 1);
    sink.event({.kind = EventKind::finish, .answer = &answer});
  }

  // The last event, after messageStop.
  void metadata(Value root, chat::EventSink& sink) {
    chat::Answer answer;
    read_usage(root["usage"], answer.usage);
    if (answer.usage.known()) sink.event({.kind = EventKind::usage, .answer = &answer});
    if (stopped_ && !ended_) end(sink);
  }

  const ReadContext context_;
  base::Arena scratch_;  // of the event at hand
  std::string text_;
  std::vector<Block> open_;
  uint32_t next_part_ = 0;
  bool stopped_ = false;
  bool ended_ = false;
  bool any_tool_call_ = false;
};

}  // namespace

std::unique_ptr<StreamReader> make_stream_reader(const ReadContext& context) {
  return std::make_unique<Reader>(context);
}

}  // namespace llmgw::dialects::bedrock

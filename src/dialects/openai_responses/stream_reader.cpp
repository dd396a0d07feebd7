#include "dialects/openai_responses/stream_reader.h"

#include <algorithm>
#include <array>

#include "chat/request.h"
#include "dialects/openai/error_reader.h"

namespace llmgw::dialects::openai_responses {

using chat::EventKind;
using chat::PartKind;

struct EventReader::Fields {
  uint32_t output_index = 0;
  uint32_t content_index = 0;
  uint32_t summary_index = 0;
  json::Value delta = {};
  json::Value text = {};
  json::Value refusal = {};
  json::Value arguments = {};
  json::Value input = {};
  json::Value item = {};
  json::Value part = {};
  json::Value response = {};
  json::Value annotation = {};
  json::Value logprobs = {};
  json::Value error = {};
};

namespace {

enum class Name : uint8_t {
  unknown,
  created,
  item_added,
  item_done,
  content_added,
  content_done,
  text_delta,
  text_done,
  refusal_delta,
  refusal_done,
  annotation,
  summary_delta,
  summary_done,
  reasoning_delta,
  reasoning_done,
  arguments_delta,
  arguments_done,
  input_delta,
  input_done,
  over,
  failed,
  error,
};

struct NameEntry {
  std::string_view text;
  Name name;
};

constexpr std::string_view kPrefix = "response.";

// Without the prefix; the most frequent first.
constexpr std::array<NameEntry, 25> kNames{{
    {"output_text.delta", Name::text_delta},
    {"function_call_arguments.delta", Name::arguments_delta},
    {"reasoning_summary_text.delta", Name::summary_delta},
    {"reasoning_text.delta", Name::reasoning_delta},
    {"custom_tool_call_input.delta", Name::input_delta},
    {"refusal.delta", Name::refusal_delta},
    {"output_item.added", Name::item_added},
    {"output_item.done", Name::item_done},
    {"content_part.added", Name::content_added},
    {"content_part.done", Name::content_done},
    {"output_text.done", Name::text_done},
    {"refusal.done", Name::refusal_done},
    {"output_text.annotation.added", Name::annotation},
    {"reasoning_summary_text.done", Name::summary_done},
    {"reasoning_text.done", Name::reasoning_done},
    {"function_call_arguments.done", Name::arguments_done},
    {"custom_tool_call_input.done", Name::input_done},
    {"created", Name::created},
    {"in_progress", Name::created},
    {"queued", Name::created},
    {"completed", Name::over},
    {"incomplete", Name::over},
    {"failed", Name::failed},
    {"cancelled", Name::failed},
    {"error", Name::error},
}};

Name name_of(std::string_view type) {
  if (type.starts_with(kPrefix)) type.remove_prefix(kPrefix.size());
  const auto* const found = std::ranges::find(kNames, type, &NameEntry::text);
  return found == kNames.end() ? Name::unknown : found->name;
}

uint32_t small(json::Value value) {
  const auto number = value.unsigned_integer();
  return number && *number <= EventReader::kItemsMax ? static_cast<uint32_t>(*number) : 0;
}

std::string_view raw_array(json::Value value) {
  return value.is_array() && !value.empty() ? value.raw() : std::string_view{};
}

}  // namespace

void EventReader::read(const chat::WireEvent& event, chat::EventSink& sink) {
  if (over_ || event.data.empty() || event.data == "[DONE]") return;
  scratch_.reset();
  sink_ = &sink;
  const auto parsed = json::parse_tree(parser_, event.data, scratch_);
  if (!parsed || !parsed->is_object()) return fail_with("the provider's stream has an event that is not JSON");
  Fields fields{.output_index = items_.empty() ? 0 : items_.back().index};
  std::string_view type;
  struct Slot {
    std::string_view key;
    json::Value Fields::* field;
  };
  static constexpr std::array<Slot, 11> kSlots{{{"delta", &Fields::delta},
                                                {"logprobs", &Fields::logprobs},
                                                {"text", &Fields::text},
                                                {"item", &Fields::item},
                                                {"part", &Fields::part},
                                                {"arguments", &Fields::arguments},
                                                {"response", &Fields::response},
                                                {"annotation", &Fields::annotation},
                                                {"refusal", &Fields::refusal},
                                                {"input", &Fields::input},
                                                {"error", &Fields::error}}};
  for (const json::Member member : parsed->members()) {
    const std::string_view key = member.escaped_key;
    if (key == "type") {
      type = member.value.string(scratch_);
    } else if (key == "output_index") {
      fields.output_index = small(member.value);
    } else if (key == "content_index") {
      fields.content_index = small(member.value);
    } else if (key == "summary_index") {
      fields.summary_index = small(member.value);
    } else if (const auto* const slot = std::ranges::find(kSlots, key, &Slot::key); slot != kSlots.end()) {
      fields.*(slot->field) = member.value;
    }
  }
  if (type.empty()) type = event.name;
  // Some send the error alone, or with an event name of their own.
  const bool own = name_of(type) == Name::unknown && (!fields.error.is_unset() || openai::error_in(*parsed).present());
  if (own || name_of(type) == Name::error) {
    return fail(fields.error.is_unset() ? *parsed : fields.error);
  }
  dispatch(type, fields);
}

void EventReader::dispatch(std::string_view type, const Fields& fields) {
  const int summary = static_cast<int>(fields.summary_index * 2);
  const int content = static_cast<int>(fields.content_index * 2 + 1);
  switch (name_of(type)) {
    case Name::created: return start(fields.response);
    case Name::item_added: return item_added(fields.item, fields.output_index);
    case Name::item_done: return item_done(fields.item, fields.output_index);
    case Name::content_added: return content_added(fields);
    case Name::content_done: return content_done(fields);
    case Name::text_delta: return text_delta(fields, PartKind::text);
    case Name::refusal_delta: return text_delta(fields, PartKind::refusal);
    case Name::text_done: return text_done(fields, PartKind::text, fields.text.string(scratch_));
    case Name::refusal_done: return text_done(fields, PartKind::refusal, fields.refusal.string(scratch_));
    case Name::annotation: return annotation(fields);
    case Name::summary_delta: return reasoning_delta(fields, summary, fields.delta.string(scratch_));
    case Name::reasoning_delta: return reasoning_delta(fields, content, fields.delta.string(scratch_));
    // What the deltas brought is not brought again.
    case Name::summary_done:
    case Name::reasoning_done: {
      const int section = name_of(type) == Name::summary_done ? summary : content;
      Item* const item = item_for(fields, ItemType::reasoning);
      if (item == nullptr || item->section >= section) return;
      return reasoning_delta(fields, section, fields.text.string(scratch_));
    }
    case Name::arguments_delta: return call_delta(fields, ItemType::function_call, fields.delta.string(scratch_));
    case Name::input_delta: return call_delta(fields, ItemType::custom_tool_call, fields.delta.string(scratch_));
    case Name::arguments_done:
    case Name::input_done: {
      const bool custom = name_of(type) == Name::input_done;
      const ItemType kind = custom ? ItemType::custom_tool_call : ItemType::function_call;
      Item* const item = item_for(fields, kind);
      if (item == nullptr || !item->started || item->parts.front().streamed) return;
      return call_delta(fields, kind, (custom ? fields.input : fields.arguments).string(scratch_));
    }
    case Name::over: return terminal(fields.response);
    case Name::failed: return fail(fields.response["error"]);
    default: return;  // progress of built-in tools; their items tell all of it
  }
}

void EventReader::start(json::Value response) {
  if (started_) return;
  started_ = true;
  const chat::Answer answer{.id = response["id"].string(scratch_),
                            .model = response["model"].string(scratch_),
                            .created = response["created_at"].integer().value_or(0),
                            .service_tier = {}};
  emit({.kind = EventKind::start, .answer = &answer});
}

EventReader::Item* EventReader::item_at(uint32_t index) {
  // The latest one: some count anew.
  const auto found = std::ranges::find(items_.rbegin(), items_.rend(), index, &Item::index);
  return found == items_.rend() ? nullptr : &*found;
}

EventReader::Item* EventReader::item_for(const Fields& fields, ItemType type) {
  Item* const item = item_at(fields.output_index);
  return item != nullptr && item->type == type ? item : new_item(fields.output_index, type);
}

EventReader::Item* EventReader::new_item(uint32_t index, ItemType type) {
  if (items_.size() == kItemsMax) {
    fail_with("the provider's answer has too many items");
    return nullptr;
  }
  items_.push_back({.index = index, .type = type});
  return &items_.back();
}

void EventReader::item_added(json::Value value, uint32_t index) {
  if (!value.is_object()) return;
  Item* const known = item_at(index);
  const ItemType type = item_type(value);
  if (known != nullptr && !known->done && known->type == type) return;
  Item* const item = new_item(index, type);
  if (item == nullptr) return;
  item->id = value["id"].string(scratch_);
  item->phase = value["phase"].string(scratch_);
  if (type == ItemType::reasoning) {
    own_part(*item, {.kind = PartKind::thinking, .id = item->id});
  } else if ((type == ItemType::function_call || type == ItemType::custom_tool_call) && !value["name"].equals("")) {
    chat::Part head = call_part(value, scratch_);
    any_tool_call_ = true;
    head.text = {};
    own_part(*item, head);
  }
}

void EventReader::item_done(json::Value value, uint32_t index) {
  if (!value.is_object()) return;
  const ItemType type = item_type(value);
  Item* const item = item_for({.output_index = index}, type);
  if (item == nullptr || item->done) return;
  if (item->id.empty()) item->id = value["id"].string(scratch_);
  if (item->phase.empty()) item->phase = value["phase"].string(scratch_);
  switch (type) {
    case ItemType::message: message_done(*item, value); break;
    case ItemType::reasoning: reasoning_done(*item, value); break;
    case ItemType::function_call:
    case ItemType::custom_tool_call: call_done(*item, value); break;
    default: {
      const bool image = type == ItemType::image_generation_call;
      stop(own_part(*item, image ? generated_image(value, scratch_) : opaque_part(value)));
    }
  }
  item->done = true;
}

void EventReader::message_done(Item& item, json::Value value) {
  uint32_t content_index = 0;
  for (const json::Value element : value["content"].elements()) {
    const uint32_t number = content_index++;
    const chat::Part whole = output_part(element, {}, {}, scratch_);
    const auto known = std::ranges::find(item.parts, number, &Part::content_index);
    if (known == item.parts.end() && whole.text.empty()) continue;
    Part* const part = message_part(item, number, whole.kind);
    if (part == nullptr || part->stopped) continue;
    if (!part->streamed) emit_text(*part, whole.text, raw_array(element["logprobs"]));
    if (!part->cited) emit_citations(*part, whole.citations);
  }
  for (Part& part : item.parts) stop(part);
}

void EventReader::reasoning_done(Item& item, json::Value value) {
  Part& part = own_part(item, {.kind = PartKind::thinking, .id = item.id});
  if (!part.streamed) emit_text(part, reasoning_text(value, scratch_), {});
  chat::Part head{.kind = PartKind::thinking};
  head.signature = reasoning_signature(value, context_, head.redacted);
  if (head.signature != nullptr) emit({.kind = EventKind::signature, .part = part.number, .head = &head});
  stop(part);
}

void EventReader::call_done(Item& item, json::Value value) {
  const chat::Part whole = call_part(value, scratch_);
  any_tool_call_ = true;
  chat::Part head = whole;
  head.text = {};
  Part& part = own_part(item, head);
  if (!part.streamed) emit_text(part, whole.text, {});
  stop(part);
}

void EventReader::content_added(const Fields& fields) {
  const json::Value type = fields.part["type"];
  const bool refusal = type.equals("refusal");
  if (!refusal && !type.equals("output_text")) return;
  if (Item* const item = item_for(fields, ItemType::message)) {
    message_part(*item, fields.content_index, refusal ? PartKind::refusal : PartKind::text);
  }
}

void EventReader::text_delta(const Fields& fields, PartKind kind) {
  Item* const item = item_for(fields, ItemType::message);
  if (item == nullptr) return;
  Part* const part = message_part(*item, fields.content_index, kind);
  if (part == nullptr || part->stopped) return;
  emit_text(*part, fields.delta.string(scratch_), raw_array(fields.logprobs));
}

void EventReader::text_done(const Fields& fields, PartKind kind, std::string_view text) {
  if (text.empty()) return;
  Item* const item = item_for(fields, ItemType::message);
  if (item == nullptr) return;
  Part* const part = message_part(*item, fields.content_index, kind);
  if (part != nullptr && !part->streamed && !part->stopped) emit_text(*part, text, raw_array(fields.logprobs));
}

void EventReader::content_done(const Fields& fields) {
  Item* const item = item_at(fields.output_index);
  if (item == nullptr || item->type != ItemType::message) return;
  const auto part = std::ranges::find(item->parts, fields.content_index, &Part::content_index);
  if (part == item->parts.end() || part->stopped) return;
  const chat::Part whole = output_part(fields.part, {}, {}, scratch_);
  if (!part->streamed) emit_text(*part, whole.text, raw_array(fields.part["logprobs"]));
  if (!part->cited) emit_citations(*part, whole.citations);
  stop(*part);
}

void EventReader::annotation(const Fields& fields) {
  Item* const item = item_for(fields, ItemType::message);
  if (item == nullptr || !fields.annotation.is_object()) return;
  Part* const part = message_part(*item, fields.content_index, PartKind::text);
  if (part == nullptr || part->stopped) return;
  emit_citations(*part, scratch_.concat("[", scratch_.concat(fields.annotation.raw(), "]")));
}

void EventReader::reasoning_delta(const Fields& fields, int section, std::string_view text) {
  Item* const item = item_for(fields, ItemType::reasoning);
  if (item == nullptr || text.empty()) return;
  Part& part = own_part(*item, {.kind = PartKind::thinking, .id = item->id});
  if (part.stopped) return;
  const bool next_of_kind = item->section >= 0 && item->section != section && (item->section - section) % 2 == 0;
  item->section = section;
  if (next_of_kind) emit_text(part, kReasoningSeparator, {});
  emit_text(part, text, {});
}

void EventReader::call_delta(const Fields& fields, ItemType type, std::string_view text) {
  Item* const item = item_for(fields, type);
  // Without its name a call cannot begin; the item's end has all of it.
  if (item == nullptr || !item->started || item->parts.front().stopped) return;
  emit_text(item->parts.front(), text, {});
}

void EventReader::terminal(json::Value response) {
  start(response);
  uint32_t index = 0;
  for (const json::Value element : response["output"].elements()) {
    const uint32_t number = index++;
    const Item* const known = item_at(number);
    if (known == nullptr ? number >= items_.size() : !known->done) item_done(element, number);
    if (over_) return;
  }
  chat::Answer answer;
  answer.usage = read_usage(response["usage"]);
  if (answer.usage.known()) emit({.kind = EventKind::usage, .answer = &answer});
  chat::Choice choice = read_finish(response, any_tool_call_, any_refusal_, scratch_);
  answer.choices = chat::List<chat::Choice>::of(&choice, 1);
  emit({.kind = EventKind::finish, .answer = &answer});
  over_ = true;
  emit({.kind = EventKind::end});
}

void EventReader::fail(json::Value value) {
  over_ = true;
  const chat::ClientError error = openai::read_error_value(value, value, scratch_);
  emit({.kind = EventKind::error, .error = &error});
}

void EventReader::fail_with(std::string_view message) {
  over_ = true;
  const chat::ClientError error{.kind = chat::ErrorKind::upstream_failed, .message = message};
  emit({.kind = EventKind::error, .error = &error});
}

EventReader::Part* EventReader::message_part(Item& item, uint32_t content_index, PartKind kind) {
  const auto known = std::ranges::find(item.parts, content_index, &Part::content_index);
  if (known != item.parts.end()) return &*known;
  if (item.done || item.parts.size() == kItemsMax) return nullptr;
  any_refusal_ |= kind == PartKind::refusal;
  Part& part = item.parts.emplace_back(Part{.content_index = content_index});
  begin_part(part, {.kind = kind, .origin = chat::Dialect::openai_responses, .id = item.id, .name = item.phase});
  return &part;
}

EventReader::Part& EventReader::own_part(Item& item, const chat::Part& head) {
  if (item.started) return item.parts.front();
  item.started = true;
  Part& part = item.parts.emplace_back();
  begin_part(part, head);
  return part;
}

void EventReader::begin_part(Part& part, const chat::Part& head) {
  part.number = next_part_++;
  emit({.kind = EventKind::part_start, .part = part.number, .head = &head});
}

void EventReader::emit_text(Part& part, std::string_view text, std::string_view logprobs) {
  if (text.empty() && logprobs.empty()) return;
  part.streamed = true;
  emit({.kind = EventKind::delta, .part = part.number, .text = text, .logprobs = logprobs});
}

void EventReader::emit_citations(Part& part, std::string_view citations) {
  if (citations.size() <= 2) return;
  part.cited = true;
  const chat::Part head{.kind = PartKind::text, .origin = chat::Dialect::openai_responses};
  emit({.kind = EventKind::citations, .part = part.number, .text = citations, .head = &head});
}

void EventReader::stop(Part& part) {
  if (part.stopped) return;
  part.stopped = true;
  emit({.kind = EventKind::part_stop, .part = part.number});
}

}  // namespace llmgw::dialects::openai_responses

// Reading contents and systemInstruction.
#include "chat/turns.h"
#include "dialects/gemini/request_reader.h"
#include "dialects/gemini/words.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::gemini {

using chat::Message;
using chat::Part;
using chat::PartKind;
using chat::Role;
using json::Value;

namespace {

// A result answers a call near the front of those that wait; further on only costs time.
constexpr size_t kLookAheadMax = 256;

Role role_of(Value content, base::Arena& arena) {
  const std::string_view role = content["role"].string(arena);
  if (role == "model" || role == "assistant") return Role::assistant;
  if (role == "function" || role == "tool") return Role::tool;
  if (role == "system") return Role::system;
  return Role::user;
}

}  // namespace

Outcome<void> ContentsReader::read_contents(Value contents) {
  if (contents.is_string()) {
    Message message{.role = Role::user};
    message.parts.push(context_.arena, {.text = contents.string(context_.arena)});
    request_.messages.push(context_.arena, message);
    return {};
  }
  if (contents.is_object()) return read_content(contents, 0);
  if (!contents.is_array())
    return invalid(context_.arena, "contents", "contents: expected an array of Content objects.");
  size_t index = 0;
  for (const Value content : contents.elements()) TRY_VOID(read_content(content, index++));
  return {};
}

Outcome<void> ContentsReader::read_system(Value instruction) {
  Message message{.role = Role::system, .path = "systemInstruction"};
  parts_.list = "systemInstruction.parts";
  parts_.index = 0;
  if (instruction.is_string()) {
    message.parts.push(context_.arena, {.text = instruction.string(context_.arena)});
  } else if (!instruction.is_object()) {
    return invalid(context_.arena, "systemInstruction", "systemInstruction: expected a Content object.");
  }
  const Value parts = instruction["parts"];
  TRY_VOID(read_parts(parts, message));
  if (!message.parts.empty()) request_.messages.push(context_.arena, message);
  return {};
}

Outcome<void> ContentsReader::read_content(Value content, size_t index) {
  base::Arena& arena = context_.arena;
  if (!content.is_object()) {
    return invalid(arena, indexed("contents", index, "", arena), "Expected a Content object with parts.");
  }
  Message message{.role = role_of(content, arena), .path = indexed("contents", index, "", arena)};
  parts_.list = arena.concat(message.path, ".parts");
  parts_.index = 0;
  const Value parts = content["parts"];
  if (message.role == Role::assistant && answering_) {
    calls_.clear();
    first_waiting_ = 0;
    answering_ = false;
  }
  TRY_VOID(read_parts(parts, message));
  if (!message.parts.empty()) request_.messages.push(arena, message);
  return {};
}

Outcome<void> ContentsReader::read_parts(Value parts, Message& message) {
  constexpr std::string_view kExpected = "Expected an array of Part objects.";
  if (parts.is_string()) {
    push({.text = parts.string(context_.arena)}, message);
  } else if (parts.is_object()) {
    read_part(parts, message);
  } else if (!parts.is_unset() && !parts.is_array()) {
    return invalid(context_.arena, parts_.list, kExpected);
  }
  for (const Value part : parts.elements()) {
    if (!part.is_object()) return invalid(context_.arena, parts_.list, kExpected);
    read_part(part, message);
    ++parts_.index;
  }
  flush_run(message);
  return {};
}

void ContentsReader::read_part(Value value, Message& message) {
  bool skip = false;
  Part part = parts_.read(value, skip);
  if (skip) return;
  if (part.kind == PartKind::tool_call) name_call(part);
  if (part.kind == PartKind::tool_result) pair_result(part);
  push(part, message);
}

// Streamed answers come back as the client's SDK kept them, one part a chunk: unsigned texts of the model in a row are
// one text again, and an empty signed thought is the signature of the thought before it.
void ContentsReader::push(Part part, Message& message) {
  const bool text = part.kind == PartKind::text || part.kind == PartKind::thinking;
  if (message.role == Role::assistant && text && !part.has_signature()) {
    if (in_run_ && run_kind_ != part.kind) flush_run(message);
    if (!in_run_) {
      in_run_ = true;
      run_kind_ = part.kind;
      run_first_ = part.text;
      return;
    }
    if (run_.empty()) run_ = run_first_;
    run_ += part.text;
    return;
  }
  const bool closes = in_run_ && run_kind_ == PartKind::thinking && part.kind == PartKind::thinking;
  if (closes && (part.text.empty() || part.signature->minter != context_.minter)) {
    const std::string whole = (run_.empty() ? std::string(run_first_) : run_) + std::string(part.text);
    part.text = context_.arena.copy(whole);
    in_run_ = false;
    run_.clear();
  }
  flush_run(message);
  message.parts.push(context_.arena, part);
}

void ContentsReader::flush_run(Message& message) {
  if (!in_run_) return;
  in_run_ = false;
  const std::string_view text = run_.empty() ? run_first_ : context_.arena.copy(run_);
  run_.clear();
  message.parts.push(context_.arena, {.kind = run_kind_, .text = text});
}

// The same call has the same id in every request of the conversation: it is made of its name and place.
void ContentsReader::name_call(Part& part) {
  ++call_count_;
  if (part.id.empty()) part.id = chat::mint_tool_id(part.name, call_count_, context_.arena);
  calls_.push_back({.id = part.id, .name = part.name});
}

void ContentsReader::pair_result(Part& part) {
  answering_ = true;
  while (first_waiting_ < calls_.size() && calls_[first_waiting_].answered) ++first_waiting_;
  const size_t end = std::min(calls_.size(), first_waiting_ + kLookAheadMax);
  Call* found = nullptr;
  for (size_t i = first_waiting_; i < end && found == nullptr; ++i) {
    Call& call = calls_[i];
    if (!call.answered && (part.id.empty() ? call.name == part.name : call.id == part.id)) found = &call;
  }
  // The id may be one the client made up for a call that came without: then the name decides.
  for (size_t i = first_waiting_; i < end && found == nullptr && !part.id.empty(); ++i) {
    Call& call = calls_[i];
    if (!call.answered && call.name == part.name) found = &call;
  }
  if (found == nullptr) return;
  found->answered = true;
  part.id = found->id;
  if (part.name.empty()) part.name = found->name;
}

}  // namespace llmgw::dialects::gemini

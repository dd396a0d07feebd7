// What a conversion could not carry, told to the client in X-LLM-Gateway-Warnings. Bounded; allocates in the request's
// arena; one thread.
//
// The header is a structured list (RFC 8941, 2021): one token a warning with parameters,
//   dropped;field="top_k";reason="openai_chat has no such parameter", changed;field="temperature";reason="..."
// Its texts are ASCII: what else is in a client's name of a member is written as JSON may have it, \u00e9.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "chat/dialect.h"
#include "chat/list.h"
#include "chat/request.h"

namespace llmgw::chat {

enum class WarningKind : uint8_t {
  dropped,    // left out; the answer may be less than asked for
  changed,    // sent with another value, or in another form
  emulated,   // the target has no such feature: done by other means (a forced tool, an instruction)
  estimated,  // a number that the target does not report
};

std::string_view to_string(WarningKind kind);

struct Warning {
  WarningKind kind = WarningKind::dropped;
  std::string_view field = {};   // the client's own path of it: "messages[2].content[0]", "top_k"
  std::string_view reason = {};  // a short sentence
  uint32_t more = 0;             // other places of its kind ("messages[7]" beside "messages[2]") with the same reason
  std::string_view last = {};    // the last of them
};

class Warnings {
 public:
  static constexpr size_t kCountMax = 32;          // more says nothing more; the rest is counted
  static constexpr size_t kHeaderBytesMax = 4096;  // half of what common proxies allow for all headers
  static constexpr size_t kFieldBytesMax = 128;    // a client's name of a member may be as long as its body

  // `client`: whose request it is; its own names of the neutral model's fields are told (chat/client_field.h).
  explicit Warnings(base::Arena& arena, Dialect client = Dialect::openai_chat) : arena_(arena), client_(client) {}

  // The client's own names, where its dialect has several for one of the model's fields.
  void speak_as(const List<Spelling>& spellings) { spellings_ = spellings; }
  // What the client calls the model's field.
  std::string_view name_of(std::string_view field) const;
  // Texts are copied, fields of more than kFieldBytesMax cut. The same field with the same kind is noted once, and so
  // are fields that differ in numbers of elements only, with the same reason: with the first path and how many others.
  void add(WarningKind kind, std::string_view field, std::string_view reason);
  void dropped(std::string_view field, std::string_view reason) { add(WarningKind::dropped, field, reason); }
  void changed(std::string_view field, std::string_view reason) { add(WarningKind::changed, field, reason); }
  void emulated(std::string_view field, std::string_view reason) { add(WarningKind::emulated, field, reason); }

  const List<Warning>& list() const { return list_; }
  bool empty() const { return list_.empty() && left_out_ == 0; }
  // Forgets what was noted since there were `count`: of an attempt that another one replaces.
  void keep_first(size_t count);
  // What nobody could note any more.
  void leave_out(size_t count) { left_out_ += count; }
  base::Arena& arena() { return arena_; }
  // The header's value; ends with "more;count=N" if some did not fit.
  std::string header() const;

 private:
  base::Arena& arena_;
  Dialect client_;
  List<Spelling> spellings_;
  List<Warning> list_;
  size_t left_out_ = 0;
};

}  // namespace llmgw::chat

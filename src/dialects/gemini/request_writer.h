// The parts of the request writer. Internal; one request, one thread.
#pragma once

#include <string>
#include <string_view>

#include "chat/request.h"
#include "dialects/codec.h"
#include "json/writer.h"

namespace llmgw::dialects::gemini {

// What stands in for a feature the target has not got.
struct Emulation {
  std::string_view format_tool = {};  // JSON by a forced call of a tool of this name; empty: not so
  bool format_instruction = false;    // JSON by an instruction
};

class RequestWriter {
 public:
  RequestWriter(const chat::Request& request, const chat::Target& target, WriteContext& context, std::string& out)
      : request_(request), target_(target), context_(context), w_(out) {}

  Outcome<void> write();
  // What Vertex AI takes of a request whose tokens are to be counted.
  Outcome<void> write_for_count();

 private:
  Outcome<void> write_common();
  void choose_emulation();
  void write_system(const chat::List<chat::Part>& system);
  Outcome<void> write_tools();
  void write_function(const chat::Tool& tool, size_t index);
  void write_format_tool();
  bool declares(const chat::Tool& tool) const;
  bool has_functions() const;
  void write_tool_config();
  Outcome<void> write_generation();
  void write_sampling();
  Outcome<void> write_counts();
  void write_format();
  void write_thinking();
  void write_budget();
  void write_level();
  void write_extras_of(std::string_view path);
  bool has_own_mode() const;
  bool wants_strict_calls() const;
  void write_service_tier();
  void write_modalities();
  Outcome<void> write_top_extras();
  void warn_of_the_rest();

  const chat::Request& request_;
  const chat::Target& target_;
  WriteContext& context_;
  json::Writer w_;
  Emulation emulation_;
};

}  // namespace llmgw::dialects::gemini

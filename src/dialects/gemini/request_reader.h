// The parts of the request reader. Internal; one request, one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chat/request.h"
#include "dialects/codec.h"
#include "dialects/gemini/parts.h"
#include "json/tree.h"

namespace llmgw::dialects::gemini {

// Schemas are converted when the document has been read: they use the parser themselves.
struct PendingSchema {
  enum class Place : uint8_t { tool, format } place;
  size_t tool = 0;
  std::string_view schema;
};

class ContentsReader {
 public:
  ContentsReader(const ReadContext& context, chat::Request& request)
      : context_(context), request_(request), parts_{.context = context, .origin = request.from} {}

  Outcome<void> read_contents(json::Value contents);
  Outcome<void> read_system(json::Value instruction);

 private:
  struct Call {
    std::string_view id;
    std::string_view name;
    bool answered = false;
  };

  Outcome<void> read_content(json::Value content, size_t index);
  Outcome<void> read_parts(json::Value parts, chat::Message& message);
  void read_part(json::Value part, chat::Message& message);
  void push(chat::Part part, chat::Message& message);
  void flush_run(chat::Message& message);
  void name_call(chat::Part& part);
  void pair_result(chat::Part& part);

  const ReadContext& context_;
  chat::Request& request_;
  PartReader parts_;
  std::vector<Call> calls_;  // of the model's turn at hand
  size_t first_waiting_ = 0;
  bool answering_ = false;
  uint32_t call_count_ = 0;
  // Texts of one kind that streaming cut into pieces.
  bool in_run_ = false;
  chat::PartKind run_kind_ = chat::PartKind::text;
  std::string run_;
  std::string_view run_first_;
};

class ConfigReader {
 public:
  ConfigReader(const ReadContext& context, chat::Request& request, std::vector<PendingSchema>& schemas)
      : context_(context), request_(request), schemas_(schemas) {}

  Outcome<void> read_tools(json::Value tools);
  Outcome<void> read_tool_config(json::Value config);
  Outcome<void> read_generation(json::Value config);

 private:
  Outcome<void> read_tool(json::Value tool, size_t index);
  Outcome<void> read_declaration(json::Value declaration, size_t tool, size_t index);
  Outcome<void> read_setting(std::string_view key, json::Value value);
  bool read_number_setting(std::string_view key, json::Value value);
  Outcome<void> read_calling(json::Value config);
  Outcome<void> read_thinking(json::Value config);
  void read_format(json::Value mime, json::Value openapi, json::Value schema);
  void extra(std::string_view path, std::string_view key, json::Value value);

  const ReadContext& context_;
  chat::Request& request_;
  std::vector<PendingSchema>& schemas_;
};

}  // namespace llmgw::dialects::gemini

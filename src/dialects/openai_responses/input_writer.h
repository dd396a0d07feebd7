// A conversation as the `input` of a request to a provider. One request, one thread.
#pragma once

#include <string>
#include <string_view>

#include "chat/request.h"
#include "chat/target.h"
#include "dialects/codec.h"
#include "json/writer.h"

namespace llmgw::dialects::openai_responses {

class InputWriter {
 public:
  InputWriter(const chat::Request& request, const chat::Target& target, WriteContext& context, json::Writer& writer)
      : request_(request), target_(target), context_(context), writer_(writer) {}

  // The array. A conversation in this dialect goes as it came, item by item; others are put in order first.
  // `format_instruction` comes last, if there is one; in JSON mode only where nothing else mentions JSON.
  Outcome<void> write(std::string_view format_instruction);

 private:
  struct Source {  // of the parts at hand
    chat::Role role;
    std::string_view id = {};
    std::string_view phase = {};
    std::string_view path = {};  // for warnings and errors
  };

  Outcome<void> write_source(const Source& source, const chat::List<chat::Part>& parts);
  Outcome<void> write_assistant(const Source& source, const chat::List<chat::Part>& parts);
  Outcome<void> write_content(const Source& source, const chat::List<chat::Part>& parts);
  Outcome<void> write_result(const chat::Part& part);
  Outcome<void> write_part(const chat::Part& part);
  Outcome<void> write_image(const chat::Part& part, std::string_view path);
  Outcome<void> write_document(const chat::Part& part, std::string_view path);
  void write_assistant_text(const Source& source, const chat::Part& part);
  void write_output_message(const Source& source, const chat::List<chat::Part>& parts);
  void write_output_text(const chat::Part& part);
  void write_call(const Source& source, const chat::Part& part);
  void write_reasoning(const Source& source, const chat::Part& part);
  void write_text(std::string_view type, const chat::Part& part);
  void write_mark(const chat::Part& part);
  std::string_view result_text(const chat::Part& part);
  void note_json(std::string_view text);
  static std::string_view path(const Source& source);
  std::string_view role_name(chat::Role role) const;
  bool own() const { return request_.from == chat::Dialect::openai_responses; }

  const chat::Request& request_;
  const chat::Target& target_;
  WriteContext& context_;
  json::Writer& writer_;
  chat::List<std::string_view> custom_calls_;  // ids of calls of free-text tools
  size_t minted_ = 0;
  bool mentions_json_ = false;
};

}  // namespace llmgw::dialects::openai_responses

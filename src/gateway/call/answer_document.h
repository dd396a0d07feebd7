// Whether a whole document that came with status 200 can be the answer to the call at all: proxies say their errors as
// pages, texts and empty bodies, and engines as objects, all with a 200. Pure. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "chat/dialect.h"
#include "gateway/entrance/endpoints.h"
#include "json/reader.h"

namespace llmgw::gateway {

// What a Content-Type promises: one value of JSON, a text (none at all does, too), something else.
enum class DocumentType : uint8_t { json, text, other };
DocumentType document_type(std::string_view content_type);

struct AskedFor {
  Operation operation;
  chat::Dialect dialect;  // of the client
  bool stream = false;
};

// False: it is an error, no JSON where JSON was asked for, or says nothing. Of what is no own answer of the call
// (files, jobs) only a beginning that no good one has is an error; sound, pictures and transcripts may be anything but
// one. A stream under a wrong Content-Type is not judged. `parser` is used while it runs. One pass, and another one
// where the word "error" stands in it.
bool may_be_answer(std::string_view document, DocumentType type, const AskedFor& asked, json::Parser& parser);

// Whether an error may be told in that event or document: it takes a closer look (error_in_event()).
bool mentions_error(std::string_view json);

// Valid JSON and nothing behind it.
bool is_json(std::string_view text, json::Parser& parser);

}  // namespace llmgw::gateway

// The documents that were sent with a request, for the citations in its answer: the provider counts what it was sent,
// or calls it by the id that it was sent with, the client counts what it has sent, or calls it as it did. Pure; any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/arena.h"
#include "chat/list.h"
#include "chat/request.h"
#include "json/reader.h"

namespace llmgw::dialects {

struct SentDocument {
  const chat::Media* media = nullptr;  // the client's, also where another part has it by now; never null
  // Of one that is sent by its id, since the provider will not say which place it cites: how long it is, in characters,
  // and in blocks if the client has cut it into some (else 0).
  uint64_t characters = 0;
  uint64_t blocks = 0;
};

// In the order of the body.
using SentDocuments = chat::List<SentDocument>;

// What an answer's citations may speak of. Lives as long as the request.
struct CitedRequest {
  const chat::Request* request = nullptr;
  const SentDocuments* sent = nullptr;  // null: none
};

// A document as the client knows it.
struct CitedDocument {
  const chat::Part* part = nullptr;    // has media; never null
  const chat::Part* result = nullptr;  // the tool's result that it is in; null: a message has it itself
  uint64_t index = 0;                  // among the documents of the request, or among its search results if it is one
  uint64_t place = 0;                  // among the documents of that result, or of all messages
};

// Ids for providers that cite by them: that of the nth document, and which one has that id (null: none of those sent).
std::string_view sent_id(size_t index, base::Arena& arena);
const SentDocument* sent_as(const CitedRequest& asked, std::string_view id);
// The nth document, or the nth search result, from 0; null: there is none.
const SentDocument* sent_at(const CitedRequest& asked, uint64_t index, bool search_result);
// Which it is among those sent, by which it is among the client's. Nothing: it was not sent.
std::optional<uint64_t> sent_place(const CitedRequest& asked, uint64_t index, bool search_result);

std::optional<CitedDocument> find_document(const CitedRequest& asked, const SentDocument* sent);

// The texts that a client of Anthropic's or Bedrock's API has cut a document or search result into; empty: it has not.
chat::List<std::string_view> text_blocks(const chat::Part& part, json::Parser& parser, base::Arena& arena);

}  // namespace llmgw::dialects

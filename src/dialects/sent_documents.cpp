#include "dialects/sent_documents.h"

#include <charconv>
#include <string>

#include "json/tree.h"

namespace llmgw::dialects {
namespace {

using chat::Part;
using chat::PartKind;

constexpr std::string_view kIdPrefix = "doc:";  // as Cohere itself names those without ids

bool is_document(const Part& part) {
  return part.kind == PartKind::document && part.media != nullptr;
}

// Through a request as its client wrote it, up to the first document for which `is_it`.
template <class IsIt>
class Search {
 public:
  explicit Search(IsIt is_it) : is_it_(is_it) {}

  std::optional<CitedDocument> run(const chat::Request& request) {
    for (const chat::Message& message : request.messages) {
      for (const Part& part : message.parts) {
        if (part.kind == PartKind::tool_result) {
          uint64_t place = 0;
          for (const Part& inner : part.content) visit(inner, &part, place);
        } else {
          visit(part, nullptr, in_messages_);
        }
        if (found_) return found_;
      }
    }
    return std::nullopt;
  }

 private:
  void visit(const Part& part, const Part* result, uint64_t& place) {
    if (!is_document(part) || found_) return;
    uint64_t& index = part.media->search_result ? results_ : documents_;
    const CitedDocument document{.part = &part, .result = result, .index = index, .place = place};
    if (is_it_(document)) found_ = document;
    ++index;
    ++place;
  }

  IsIt is_it_;
  std::optional<CitedDocument> found_;
  uint64_t documents_ = 0;
  uint64_t results_ = 0;  // of a search
  uint64_t in_messages_ = 0;
};

}  // namespace

std::string_view sent_id(size_t index, base::Arena& arena) {
  return arena.concat(kIdPrefix, std::to_string(index));
}

const SentDocument* sent_as(const CitedRequest& asked, std::string_view id) {
  if (!id.starts_with(kIdPrefix) || asked.sent == nullptr) return nullptr;
  id.remove_prefix(kIdPrefix.size());
  uint64_t index = 0;
  const auto read = std::from_chars(id.data(), id.data() + id.size(), index);
  const bool whole = read.ec == std::errc{} && read.ptr == id.data() + id.size();
  return whole && index < asked.sent->size() ? &(*asked.sent)[index] : nullptr;
}

const SentDocument* sent_at(const CitedRequest& asked, uint64_t index, bool search_result) {
  if (asked.sent == nullptr) return nullptr;
  for (const SentDocument& sent : *asked.sent) {
    if (sent.media->search_result == search_result && index-- == 0) return &sent;
  }
  return nullptr;
}

std::optional<uint64_t> sent_place(const CitedRequest& asked, uint64_t index, bool search_result) {
  if (asked.sent == nullptr || asked.request == nullptr) return std::nullopt;
  const auto is_it = [&](const CitedDocument& document) {
    return document.index == index && document.part->media->search_result == search_result;
  };
  const auto document = Search(is_it).run(*asked.request);
  uint64_t place = 0;
  for (const SentDocument& sent : *asked.sent) {
    if (document && sent.media == document->part->media) return place;
    if (sent.media->search_result == search_result) ++place;
  }
  return std::nullopt;
}

std::optional<CitedDocument> find_document(const CitedRequest& asked, const SentDocument* sent) {
  if (sent == nullptr || asked.request == nullptr) return std::nullopt;
  return Search([&](const CitedDocument& document) { return document.part->media == sent->media; }).run(*asked.request);
}

chat::List<std::string_view> text_blocks(const Part& part, json::Parser& parser, base::Arena& arena) {
  chat::List<std::string_view> texts;
  if (part.media == nullptr || part.media->metadata.empty()) return texts;
  const auto root = json::parse_tree(parser, part.media->metadata, arena);
  if (!root) return texts;
  const json::Value named = root->any_of("document", "searchResult");  // Bedrock's
  const json::Value block = named.is_object() ? named : *root;
  const json::Value content = block.any_of("content", "source");
  const json::Value blocks = content.is_object() ? content["content"] : content;
  if (blocks.is_string()) texts.push(arena, blocks.string(arena));
  for (const json::Value text : blocks.elements()) texts.push(arena, text["text"].string(arena));
  return texts;
}

}  // namespace llmgw::dialects

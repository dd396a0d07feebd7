#include "gateway/entrance/peek.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "json/direct_reader.h"
#include "json/text.h"
#include "json/utf8.h"

namespace llmgw::gateway {
namespace {

enum class Field : uint8_t {
  other,
  model,
  stream,
  stream_options,
  owned_by,
  user,
  max_tokens,
  answers,
  prompt,
  input,
  generation_config,
  inference_config,
  metadata,
  service_tier,
  other_tier,
  tools,
  search,
  store,
  conversation,
  previous_response,
};

Field field_of(std::string_view key) {
  switch (key.size()) {
    case 1: return key == "n" ? Field::answers : Field::other;
    case 4: return key == "user" ? Field::user : Field::other;
    case 5:
      return key == "model"   ? Field::model
             : key == "input" ? Field::input
             : key == "tools" ? Field::tools
             : key == "store" ? Field::store
             : key == "speed" ? Field::other_tier
                              : Field::other;
    case 6: return key == "stream" ? Field::stream : key == "prompt" ? Field::prompt : Field::other;
    case 7: return key == "best_of" ? Field::answers : key == "plugins" ? Field::search : Field::other;
    case 8: return key == "owned_by" ? Field::owned_by : key == "metadata" ? Field::metadata : Field::other;
    case 10: return key == "max_tokens" ? Field::max_tokens : Field::other;
    case 11: return key == "serviceTier" ? Field::service_tier : Field::other;
    case 12:
      return key == "service_tier" ? Field::service_tier : key == "conversation" ? Field::conversation : Field::other;
    case 13: return key == "inference_geo" ? Field::other_tier : Field::other;
    case 14: return key == "stream_options" ? Field::stream_options : Field::other;
    case 15: return key == "inferenceConfig" ? Field::inference_config : Field::other;
    case 16: return key == "generationConfig" ? Field::generation_config : Field::other;
    case 17:
      return key == "max_output_tokens"   ? Field::max_tokens
             : key == "generation_config" ? Field::generation_config
             : key == "performanceConfig" ? Field::other_tier
             : key == "search_parameters" ? Field::search
                                          : Field::other;
    case 18: return key == "web_search_options" ? Field::search : Field::other;
    case 20: return key == "previous_response_id" ? Field::previous_response : Field::other;
    case 21: return key == "max_completion_tokens" ? Field::max_tokens : Field::other;
    default: return Field::other;
  }
}

// Tools that a provider runs itself and charges for: Google's stand as members, others' as types.
bool charges_as_member(std::string_view name) {
  constexpr std::string_view kNames[] = {"google_search", "googleSearch",          "google_maps",
                                         "googleMaps",    "enterprise_web_search", "enterpriseWebSearch"};
  return std::ranges::any_of(kNames, [name](std::string_view each) { return name.starts_with(each); });
}

bool charges_as_type(std::string_view type) {
  constexpr std::string_view kTypes[] = {"web_search", "file_search", "code_", "image_generation", "shell", "advisor"};
  return std::ranges::any_of(kTypes, [type](std::string_view each) { return type.starts_with(each); });
}

// The longest name above is 21 characters, each at most six (\u006d) when escaped.
constexpr size_t kEscapedKeyBytesMax = 21 * 6;

// Reader: json::Reader or json::DirectReader.
template <class Reader>
class Pass {
 public:
  Pass(std::string_view body, Reader& reader, base::Arena& arena) : body_(body), reader_(reader), arena_(arena) {}

  std::expected<Peek, PeekRefusal> run() {
    if (reader_.kind() != json::Kind::object) return refuse("the request body must be a JSON object");
    reader_.enter_object();
    std::string_view key;
    while (reader_.next_member(key) && member(key)) {
    }
    if (refusal_.message == nullptr) {
      if (auto end = reader_.finish(); !end) return refuse(end.error().context);
      return peek_;
    }
    return std::unexpected(refusal_);
  }

 private:
  std::unexpected<PeekRefusal> refuse(const char* message) { return std::unexpected(PeekRefusal{message, ""}); }
  bool refuse_member(const char* message, const char* param) {
    refusal_ = {message, param};
    return false;
  }

  // Where there is no value at all, the document is broken, and the reader knows how.
  bool wrong_type(const char* message, const char* param) {
    if (reader_.kind() != json::Kind::invalid) return refuse_member(message, param);
    reader_.skip();
    return true;
  }

  // The key unescaped where that can matter, in `buffer`; the key itself otherwise.
  std::optional<std::string_view> plain_key(std::string_view key, std::array<char, kEscapedKeyBytesMax>& buffer) {
    if (key.size() > kEscapedKeyBytesMax) return key;
    if (std::memchr(key.data(), '\\', key.size()) == nullptr) return key;
    const auto size = json::unescape(key, buffer.data());
    if (!size) return std::nullopt;
    return std::string_view(buffer.data(), *size);
  }

  bool member(std::string_view raw_key) {
    std::array<char, kEscapedKeyBytesMax> buffer;
    const auto key = plain_key(raw_key, buffer);
    if (!key) return refuse_member("a member's name has a broken escape", "");
    switch (field_of(*key)) {
      case Field::other: reader_.skip(); return true;
      case Field::model: return model();
      case Field::stream: return stream();
      case Field::owned_by: return owned_by(raw_key);
      case Field::user: return user();
      case Field::max_tokens: raise_max_tokens(); return true;
      case Field::answers: raise_answers(); return true;
      case Field::prompt: peek_.prompts = std::max(peek_.prompts, list_of_prompts()); return true;
      case Field::input: list_of_prompts(); return true;
      case Field::stream_options: return stream_options();
      case Field::generation_config: return generation_config();
      case Field::inference_config: return inference_config();
      case Field::metadata: return metadata();
      case Field::service_tier: return service_tier();
      case Field::other_tier:
        peek_.names_tier = true;
        reader_.skip();
        return true;
      case Field::tools: tools(); return true;
      case Field::store: store(); return true;
      case Field::conversation: return conversation();
      case Field::previous_response:
        return kept_id(peek_.previous_response_id, "'previous_response_id' is given twice", "previous_response_id");
      // Chat Completions have a search for which there is no tool (dialects/web_search.h).
      case Field::search:
        peek_.provider_tools = true;
        reader_.skip();
        return true;
    }
    return true;
  }

  bool model() {
    if (peek_.has_model) return refuse_member("'model' is given twice", "model");
    // Where the path names the model, SDKs leave it empty here (LangChain's AzureChatOpenAI).
    if (reader_.kind() == json::Kind::null) {
      const size_t start = reader_.position();
      reader_.null();
      if (reader_.failed()) return true;
      peek_.model_span = body_.substr(start, reader_.consumed() - start);
      peek_.has_model = true;
      return true;
    }
    if (reader_.kind() != json::Kind::string) return wrong_type("'model' must be a string", "model");
    const std::string_view raw = reader_.string();
    if (reader_.failed()) return true;
    const auto text = json::unescape(raw, arena_);
    if (!text) return refuse_member("'model' has a broken escape", "model");
    if (text->size() > kModelNameBytesMax) return refuse_member("'model' is too long", "model");
    if (!json::is_plain_text(*text))
      return refuse_member("'model' contains a character that no model name has", "model");
    peek_.model = *text;
    peek_.model_span = {raw.data() - 1, raw.size() + 2};
    peek_.has_model = true;
    return true;
  }

  bool stream() {
    if (std::exchange(has_stream_, true)) return refuse_member("'stream' is given twice", "stream");
    if (reader_.kind() == json::Kind::null) {
      reader_.null();
      return true;
    }
    if (reader_.kind() != json::Kind::boolean) return wrong_type("'stream' must be true or false", "stream");
    peek_.stream = reader_.boolean();
    return true;
  }

  bool owned_by(std::string_view raw_key) {
    if (peek_.owned_by_span.data() != nullptr) return refuse_member("'owned_by' is given twice", "owned_by");
    if (reader_.kind() == json::Kind::null) {
      reader_.null();
    } else if (reader_.kind() != json::Kind::string) {
      return wrong_type("'owned_by' must be a string", "owned_by");
    } else {
      const auto text = json::unescape(reader_.string(), arena_);
      if (!text) return refuse_member("'owned_by' has a broken escape", "owned_by");
      if (text->size() > kOwnedByBytesMax) return refuse_member("'owned_by' is too long", "owned_by");
      if (!json::is_plain_text(*text))
        return refuse_member("'owned_by' contains a character that no owner has", "owned_by");
      peek_.owned_by = *text;
    }
    if (reader_.failed()) return true;
    peek_.owned_by_span = with_comma(static_cast<size_t>(raw_key.data() - 1 - body_.data()), reader_.consumed());
    return true;
  }

  // The member and the comma behind it, or else the one before it.
  std::string_view with_comma(size_t start, size_t end) const {
    const size_t next = reader_.position();
    if (next < body_.size() && body_[next] == ',') {
      end = next + 1;
    } else {
      const size_t before = body_.find_last_not_of(" \t\r\n", start - 1);
      if (before != std::string_view::npos && body_[before] == ',') start = before;
    }
    return body_.substr(start, end - start);
  }

  bool user() {
    if (reader_.kind() != json::Kind::string) {
      reader_.skip();
      return true;
    }
    const auto text = json::unescape(reader_.string(), arena_);
    if (text) peek_.user = text->substr(0, kUserBytesMax);
    return true;
  }

  bool service_tier() {
    peek_.names_tier = true;
    if (reader_.kind() != json::Kind::string) {
      reader_.skip();
      return true;
    }
    if (const auto text = json::unescape(reader_.string(), arena_)) peek_.service_tier = *text;
    return true;
  }

  void store() {
    if (reader_.kind() == json::Kind::boolean) {
      peek_.stored = reader_.boolean();
    } else {
      reader_.skip();
    }
  }

  // Of what is kept somewhere. What is no text is the provider's to refuse.
  bool kept_id(std::string_view& id, const char* twice, const char* param) {
    if (reader_.kind() != json::Kind::string) {
      reader_.skip();
      return true;
    }
    const auto text = json::unescape(reader_.string(), arena_);
    if (!text) return refuse_member("an id has a broken escape", param);
    if (!id.empty()) return refuse_member(twice, param);
    id = *text;
    return true;
  }

  bool conversation() {
    constexpr const char* kTwice = "'conversation' is given twice";
    if (reader_.kind() != json::Kind::object) return kept_id(peek_.conversation, kTwice, "conversation");
    bool sound = true;
    const bool read = each_member([&](std::string_view key) {
      if (key == "id" && sound) {
        sound = kept_id(peek_.conversation, kTwice, "conversation");
      } else {
        reader_.skip();
      }
    });
    return read && sound;
  }

  // Only whether there are such: what else stands there is the provider's business.
  void tools() {
    if (reader_.kind() != json::Kind::array) {
      reader_.skip();
      return;
    }
    reader_.enter_array();
    while (reader_.next_element()) {
      if (reader_.kind() != json::Kind::object) {
        reader_.skip();
        continue;
      }
      reader_.enter_object();
      std::string_view name;
      while (reader_.next_member(name)) {
        if (charges_as_member(name)) peek_.provider_tools = true;
        if (name != "type" || reader_.kind() != json::Kind::string) {
          reader_.skip();
          continue;
        }
        const std::string_view type = reader_.string();
        if (charges_as_type(type)) peek_.provider_tools = true;
      }
    }
  }

  // A whole number however it is written, also as a text: some servers take them all, and refuse what is wrong
  // themselves.
  std::optional<uint64_t> count() {
    const bool quoted = reader_.kind() == json::Kind::string;
    if (!quoted && reader_.kind() != json::Kind::number) {
      reader_.skip();
      return std::nullopt;
    }
    const size_t start = reader_.position();
    reader_.skip();
    if (reader_.failed()) return std::nullopt;
    std::string_view text = body_.substr(start, reader_.consumed() - start);
    if (quoted) text = text.substr(1, text.size() - 2);
    if (const auto plain = base::parse_decimal(text)) return plain;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool is_number = end == text.data() + text.size() && error != std::errc::invalid_argument;
    if (!is_number || text.starts_with('-')) return std::nullopt;
    constexpr double kEnd = 18'446'744'073'709'551'616.0;  // 2^64
    if (error == std::errc::result_out_of_range) return text.contains("e-") || text.contains("E-") ? 0 : UINT64_MAX;
    if (value != std::floor(value)) return std::nullopt;
    return value < kEnd ? static_cast<uint64_t>(value) : UINT64_MAX;
  }

  void raise_max_tokens() {
    if (const auto value = count()) peek_.max_output_tokens = std::max(*value, peek_.max_output_tokens.value_or(0));
  }

  void raise_answers() { peek_.answers = std::max(peek_.answers, count().value_or(1)); }

  // A prompt is a text or a list of tokens' numbers; a list of either is several. Answers how many, and counts the
  // numbers.
  uint64_t list_of_prompts() {
    if (reader_.kind() != json::Kind::array) {
      reader_.skip();
      return 1;
    }
    uint64_t prompts = 0;
    reader_.enter_array();
    while (reader_.next_element()) {
      if (reader_.kind() == json::Kind::number) {
        ++peek_.token_numbers;
      } else {
        ++prompts;
        if (reader_.kind() == json::Kind::array) {
          token_numbers();
          continue;
        }
      }
      reader_.skip();
    }
    return prompts;
  }

  void token_numbers() {
    reader_.enter_array();
    while (reader_.next_element()) {
      if (reader_.kind() == json::Kind::number) ++peek_.token_numbers;
      reader_.skip();
    }
  }

  void add_tag(std::string_view name, std::string_view value) {
    const std::string_view tag = name.empty() ? value : arena_.concat(arena_.concat(name, "="), value);
    if (tag.empty()) return;
    // What separates tags, and what would break a line of a report, cannot be part of one.
    if (tag.size() > kMetadataTagBytesMax || tags_ == kMetadataTagsMax || !json::is_plain_text(tag) ||
        tag.find(',') != std::string_view::npos) {
      ++peek_.metadata_tags_left_out;
      return;
    }
    ++tags_;
    peek_.metadata_tags =
        peek_.metadata_tags.empty() ? tag : arena_.concat(arena_.concat(peek_.metadata_tags, ","), tag);
  }

  void add_tag_value(std::string_view name) {
    if (reader_.kind() != json::Kind::string) {
      reader_.skip();
      return;
    }
    const std::string_view raw = reader_.string();
    // Escapes can make a text six times as long as it is.
    if (raw.size() > 6 * kMetadataTagBytesMax) {
      ++peek_.metadata_tags_left_out;
      return;
    }
    if (const auto text = json::unescape(raw, arena_)) add_tag(name, *text);
  }

  // Calls `take` with the name of each member of the object at hand; it must consume the value. Other values are
  // skipped.
  template <class Take>
  bool each_member(Take take) {
    if (reader_.kind() != json::Kind::object) {
      reader_.skip();
      return true;
    }
    reader_.enter_object();
    std::string_view raw_key;
    while (reader_.next_member(raw_key)) {
      std::array<char, kEscapedKeyBytesMax> buffer;
      const auto key = plain_key(raw_key, buffer);
      if (!key) return refuse_member("a member's name has a broken escape", "");
      take(*key);
    }
    return true;
  }

  bool metadata() {
    return each_member([&](std::string_view key) {
      if (key == "user_id") {
        user();
      } else if (key == "tags" && reader_.kind() == json::Kind::array) {
        reader_.enter_array();
        while (reader_.next_element()) add_tag_value({});
      } else if (key.size() > kMetadataTagBytesMax) {
        if (reader_.kind() == json::Kind::string) ++peek_.metadata_tags_left_out;
        reader_.skip();
      } else {
        add_tag_value(key);
      }
    });
  }

  bool stream_options() {
    return each_member([&](std::string_view key) {
      if (key == "include_usage" && reader_.kind() == json::Kind::boolean) {
        peek_.include_usage = reader_.boolean();
      } else {
        reader_.skip();
      }
    });
  }

  bool generation_config() {
    return each_member([&](std::string_view key) {
      if (key == "maxOutputTokens" || key == "max_output_tokens") {
        raise_max_tokens();
      } else if (key == "candidateCount" || key == "candidate_count") {
        raise_answers();
      } else {
        reader_.skip();
      }
    });
  }

  bool inference_config() {
    return each_member([&](std::string_view key) {
      if (key == "maxTokens") {
        raise_max_tokens();
      } else {
        reader_.skip();
      }
    });
  }

  std::string_view body_;
  Reader& reader_;
  base::Arena& arena_;
  Peek peek_;
  PeekRefusal refusal_{nullptr, ""};
  bool has_stream_ = false;
  size_t tags_ = 0;
};

}  // namespace

std::optional<Peek> peek_directly(std::string_view body, base::Arena& arena) {
  json::DirectReader reader(body);
  const auto seen = Pass(body, reader, arena).run();
  if (!seen || !reader.is_utf8()) return std::nullopt;
  return *seen;
}

std::expected<Peek, PeekRefusal> peek_by_index(json::Parser& parser, std::string_view body, base::Arena& arena) {
  const auto document = parser.parse(body);
  if (!document) return std::unexpected(PeekRefusal{document.error().context, ""});
  json::Reader reader(*document);
  return Pass(body, reader, arena).run();
}

std::expected<Peek, PeekRefusal> peek(json::Parser& parser, std::string_view body, base::Arena& arena) {
  if (const auto seen = peek_directly(body, arena)) return *seen;
  return peek_by_index(parser, body, arena);
}

}  // namespace llmgw::gateway

#include "gateway/entrance/endpoints.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/text.h"
#include "gateway/entrance/endpoint_rows.h"
#include "gateway/entrance/peek.h"
#include "json/utf8.h"

namespace llmgw::gateway {
namespace endpoint_table {
namespace {

uint8_t method_bit(std::string_view method) {
  if (method == "POST") return kPost;
  if (method == "GET") return kGet;
  if (method == "HEAD") return kHead;
  if (method == "DELETE") return kDelete;
  return 0;
}

// Indexed by a set of methods.
constexpr std::array<std::string_view, 16> kAllow = {"",
                                                     "GET",
                                                     "HEAD",
                                                     "GET, HEAD",
                                                     "POST",
                                                     "GET, POST",
                                                     "HEAD, POST",
                                                     "GET, HEAD, POST",
                                                     "DELETE",
                                                     "GET, DELETE",
                                                     "HEAD, DELETE",
                                                     "GET, HEAD, DELETE",
                                                     "POST, DELETE",
                                                     "GET, POST, DELETE",
                                                     "HEAD, POST, DELETE",
                                                     "GET, HEAD, POST, DELETE"};

constexpr bool is_pattern(std::string_view pattern) {
  return pattern.find_first_of("{*") != std::string_view::npos;
}

constexpr auto kIsPattern = [] {
  std::array<bool, kRowCount> result{};
  for (size_t row = 0; row < kRowCount; ++row) result[row] = is_pattern(kRows[row].pattern);
  return result;
}();

// Literal tails by a hash of their length and three of their bytes, with linear probing; the slot holds the first row.
constexpr size_t kSlots = 128;
constexpr uint8_t kEmptySlot = 255;
constexpr size_t slot_of(std::string_view tail) {
  const auto byte = [tail](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(tail[i])); };
  const uint32_t mixed =
      static_cast<uint32_t>(tail.size()) ^ byte(0) << 6 ^ byte(tail.size() / 2) << 13 ^ byte(tail.size() - 1) << 20;
  return (mixed * 0x9E3779B1U) >> 25;
}
constexpr auto kLiterals = [] {
  std::array<uint8_t, kSlots> table{};
  table.fill(kEmptySlot);
  for (uint8_t row = 0; row < kRowCount; ++row) {
    if (kIsPattern[row] || (row > 0 && kRows[row - 1].pattern == kRows[row].pattern)) continue;
    size_t slot = slot_of(kRows[row].pattern);
    while (table[slot] != kEmptySlot) slot = (slot + 1) % kSlots;
    table[slot] = row;
  }
  return table;
}();

struct Verb {
  std::string_view name;
  Operation operation;
  bool streams;
};
constexpr Verb kGeminiVerbs[] = {
    {"generateContent", generate_content, false},
    {"streamGenerateContent", stream_generate_content, true},
    {"countTokens", count_tokens, false},
    {"embedContent", embed_content, false},
    {"batchEmbedContents", batch_embed_contents, false},
};
constexpr Verb kClaudeVerbs[] = {
    {"rawPredict", messages, false},
    {"streamRawPredict", messages, true},
};
constexpr Verb kBedrockVerbs[] = {
    {"converse", converse, false},
    {"converse-stream", converse_stream, true},
    {"invoke", invoke, false},
    {"invoke-with-response-stream", invoke_stream, true},
    {"count-tokens", count_tokens, false},
};

const Verb* find_verb(std::span<const Verb> verbs, std::string_view name) {
  for (const auto& verb : verbs) {
    if (verb.name == name) return &verb;
  }
  return nullptr;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// Takes one non-empty segment and the slash behind it.
std::string_view take_segment(std::string_view& text) {
  const size_t slash = text.find('/');
  if (slash == 0 || slash == std::string_view::npos) return {};
  const std::string_view segment = text.substr(0, slash);
  text.remove_prefix(slash + 1);
  return segment;
}

struct PatternMatch {
  bool matched = false;
  std::string_view model = {};
};

PatternMatch match_pattern(std::string_view pattern, std::string_view tail) {
  while (true) {
    const size_t special = pattern.find('{');
    if (special == std::string_view::npos) {
      if (!pattern.ends_with("/**")) return {pattern == tail};
      if (!take(tail, pattern.substr(0, pattern.size() - 3))) return {};
      return {tail.empty() || (tail.size() > 1 && tail.front() == '/' && tail.back() != '/')};
    }
    if (!take(tail, pattern.substr(0, special))) return {};
    pattern.remove_prefix(special);
    if (pattern == "{model}") return {!tail.empty() && tail.back() != '/', tail};
    const size_t end = std::min(tail.find('/'), tail.size());
    if (end == 0) return {};
    tail.remove_prefix(end);
    pattern.remove_prefix(2);
  }
}

int hex_value(char c) {
  if (base::is_digit(c)) return c - '0';
  const char lower = base::to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

struct PathCheck {
  const char* problem = nullptr;
  bool escaped_slash = false;
};

// Everything but the place of escaped slashes.
PathCheck check_path(std::string_view path) {
  PathCheck result;
  for (size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c <= ' ' || c >= '\x7F' || c == '\\' || c == '#' || c == '?')
      return {"the path contains a byte that must be escaped"};
    if (c == '/') {
      const std::string_view rest = path.substr(i + 1);
      if (rest.starts_with('/')) return {"the path has an empty segment"};
      const std::string_view segment = rest.substr(0, rest.find('/'));
      if (segment == "." || segment == "..") return {"the path has a dot segment"};
    } else if (c == '%') {
      const int high = i + 2 < path.size() ? hex_value(path[i + 1]) : -1;
      const int low = i + 2 < path.size() ? hex_value(path[i + 2]) : -1;
      if (high < 0 || low < 0) return {"the path has a broken escape"};
      const int byte = high * 16 + low;
      if (byte < 0x20 || byte == 0x7F || byte == '.' || byte == '%' || byte == '\\') {
        return {"the path escapes a byte that may not be escaped"};
      }
      result.escaped_slash = result.escaped_slash || byte == '/';
      i += 2;
    }
  }
  return result;
}

bool has_escaped_slash(std::string_view text) {
  return text.find("%2F") != std::string_view::npos || text.find("%2f") != std::string_view::npos;
}

using Outcome = std::optional<Match>;

// One look-up: collects the methods that would have fitted, for the 405.
class Lookup {
 public:
  Lookup(std::string_view method, std::string_view path, ClientHints hints)
      : path_(path), method_(method_bit(method)), hints_(hints) {}

  std::expected<Match, EndpointRefusal> run() {
    if (path_.empty() || path_.front() != '/') return refuse(400, "the path must begin with '/'");
    if (path_.size() > kPathBytesMax) return refuse(400, "the path is too long");
    if (path_.starts_with("/v1/")) {
      if (auto match = literal(path_.substr(4), kOpenAi | kAnthropic)) return finish(*match);
    }
    // Literal tails cannot hold anything strange; all other paths are looked at byte by byte.
    const PathCheck check = check_path(path_);
    if (check.problem != nullptr) return refuse(400, check.problem);
    auto match = by_root();
    if (!match) {
      if (allowed_ == 0) return refuse(404, "there is no such endpoint");
      return std::unexpected(EndpointRefusal{405, kAllow[allowed_], "this endpoint does not take that method"});
    }
    if (check.escaped_slash && has_slash_outside_model(*match))
      return refuse(400, "the path escapes a byte that may not be escaped");
    return finish(*match);
  }

 private:
  static std::unexpected<EndpointRefusal> refuse(int status, const char* message) {
    return std::unexpected(EndpointRefusal{status, {}, message});
  }

  bool has_slash_outside_model(const Match& match) const {
    if (match.model.empty()) return true;
    const size_t start = static_cast<size_t>(match.model.data() - path_.data());
    return has_escaped_slash(path_.substr(0, start)) || has_escaped_slash(path_.substr(start + match.model.size()));
  }

  // Under /v1/ several APIs have models, files and batches, and only the client's headers tell whose are meant. A file
  // must not go to another vendor than the client's own.
  Match finish(Match match) const {
    const bool models = match.operation == models_list || match.operation == models_get;
    const bool shared = models || (match.model_place == ModelPlace::none && path_.starts_with("/v1/"));
    if (shared && match.dialect == Dialect::openai_rest) {
      if (hints_.anthropic_version || path_.starts_with("/anthropic/")) {
        match.dialect = Dialect::anthropic;
      } else if (hints_.goog_api_key) {
        match.dialect = Dialect::gemini;
      }
    }
    return match;
  }

  bool method_fits(uint8_t methods) {
    allowed_ |= methods;
    return (methods & method_) != 0;
  }

  static Match row_match(const Row& row, std::string_view tail, std::string_view model) {
    return {.dialect = row.dialect,
            .operation = row.operation,
            .model_place = row.place,
            .streams = false,
            .websocket = row.operation == realtime,
            .tail = tail,
            .model = model};
  }

  Outcome literal(std::string_view tail, uint8_t surfaces) {
    if (tail.empty()) return std::nullopt;
    for (size_t slot = slot_of(tail); kLiterals[slot] != kEmptySlot; slot = (slot + 1) % kSlots) {
      uint8_t row = kLiterals[slot];
      if (kRows[row].pattern != tail) continue;
      for (; row < kRowCount && kRows[row].pattern == tail; ++row) {
        if ((kRows[row].surfaces & surfaces) != 0 && method_fits(kRows[row].methods))
          return row_match(kRows[row], tail, {});
      }
      break;
    }
    return std::nullopt;
  }

  Outcome rows(std::string_view tail, uint8_t surfaces) {
    if (auto match = literal(tail, surfaces)) return match;
    if (tail.empty()) return std::nullopt;
    for (size_t i = 0; i < kRowCount; ++i) {
      const Row& row = kRows[i];
      if (!kIsPattern[i] || row.pattern.front() != tail.front() || (row.surfaces & surfaces) == 0) continue;
      const PatternMatch found = match_pattern(row.pattern, tail);
      if (found.matched && method_fits(row.methods)) return row_match(row, tail, found.model);
    }
    return std::nullopt;
  }

  Outcome by_root() {
    std::string_view rest = path_.substr(1);
    switch (rest.empty() ? '\0' : rest.front()) {
      case 'v': return versioned(rest);
      case 'o': return take(rest, "openai/") ? openai(rest) : std::nullopt;
      case 'a': return take(rest, "anthropic/v1/") ? rows(rest, kAnthropic) : std::nullopt;
      case 'g': return take(rest, "gemini/v1beta/") ? gemini(rest) : std::nullopt;
      case 'b': return take(rest, "bedrock/model/") ? bedrock(rest) : std::nullopt;
      case 'h': return rest == "health" ? own(health) : std::nullopt;
      case 'r': return rest == "ready" ? own(ready) : std::nullopt;
      case 'm':
        if (take(rest, "model/")) return bedrock(rest);
        return rest == "metrics" ? own(metrics) : std::nullopt;
      default: return std::nullopt;
    }
  }

  Outcome own(Operation operation) {
    if (!method_fits(kRead)) return std::nullopt;
    return Match{.operation = operation, .tail = path_.substr(1)};
  }

  Outcome versioned(std::string_view rest) {
    if (take(rest, "v1/")) {
      if (rest.starts_with("projects/") || rest.starts_with("publishers/")) return vertex(rest);
      if (method_ == kPost || rest.starts_with("tunedModels/")) {
        if (auto match = verb(rest, Dialect::gemini)) return match;
      }
      return rows(rest, kOpenAi | kAnthropic);
    }
    if (take(rest, "v2/")) return rows(rest, kCohere);
    if (take(rest, "v1beta/openai/")) return rows(rest, kOpenAi);
    if (take(rest, "v1beta/")) return gemini(rest);
    return take(rest, "v1beta1/") ? vertex(rest) : std::nullopt;
  }

  Outcome openai(std::string_view rest) {
    if (take(rest, "v1/")) return rows(rest, kOpenAi);
    if (!take(rest, "deployments/")) return rows(rest, kOpenAi);
    const std::string_view alias = take_segment(rest);
    if (alias.empty()) return std::nullopt;
    auto match = literal(rest, kAzure);
    if (match) {
      match->dialect = Dialect::azure;
      match->form = match->model_place == ModelPlace::multipart;
      match->model_place = ModelPlace::path;
      match->model = alias;
    }
    return match;
  }

  Outcome gemini(std::string_view rest) {
    if (rest == "models") {
      if (!method_fits(kRead)) return std::nullopt;
      return Match{.dialect = Dialect::gemini, .operation = models_list, .tail = rest};
    }
    if (auto match = verb(rest, Dialect::gemini)) return match;
    if (allowed_ != 0) return std::nullopt;  // a verb with another method
    std::string_view model = rest;
    if (method_ == kPost && rest.find(':') != std::string_view::npos) return std::nullopt;  // an unknown verb
    if (!take(model, "models/") || model.empty() || model.back() == '/' || !method_fits(kRead)) return std::nullopt;
    return Match{.dialect = Dialect::gemini,
                 .operation = models_get,
                 .model_place = ModelPlace::path,
                 .tail = rest,
                 .model = model};
  }

  // models/{m}:verb or tunedModels/{m}:verb; the last colon parts them.
  Outcome verb(std::string_view rest, Dialect dialect) {
    std::string_view model = rest;
    const bool tuned = rest.starts_with("tunedModels/");
    if (!tuned && !take(model, "models/")) return std::nullopt;
    const size_t colon = model.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const Verb* found = find_verb(kGeminiVerbs, model.substr(colon + 1));
    model = model.substr(0, colon);
    if (found == nullptr || model.empty() || model.back() == '/' || !method_fits(kPost)) return std::nullopt;
    return Match{.dialect = dialect,
                 .operation = found->operation,
                 .model_place = ModelPlace::path,
                 .streams = found->streams,
                 .tail = rest,
                 .model = model};
  }

  Outcome vertex(std::string_view rest) {
    if (take(rest, "projects/")) {
      if (take_segment(rest).empty() || !take(rest, "locations/") || take_segment(rest).empty()) return std::nullopt;
    }
    if (take(rest, "publishers/anthropic/models/")) return claude(rest);
    if (!take(rest, "publishers/google/") || !rest.starts_with("models/")) return std::nullopt;
    return verb(rest, Dialect::vertex);
  }

  // {m}:verb. Counting has a model of its own, and names the one meant in the body.
  Outcome claude(std::string_view rest) {
    const size_t colon = rest.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const Verb* found = find_verb(kClaudeVerbs, rest.substr(colon + 1));
    const std::string_view model = rest.substr(0, colon);
    if (found == nullptr || model.empty() || model.back() == '/' || !method_fits(kPost)) return std::nullopt;
    Match match{.dialect = Dialect::anthropic, .operation = messages, .enveloped = true};
    if (model == "count-tokens" && !found->streams) {
      match.operation = count_tokens;
      match.model_place = ModelPlace::body;
      match.tail = "messages/count_tokens";
      return match;
    }
    match.model_place = ModelPlace::path;
    match.streams = found->streams;
    match.tail = "messages";
    match.model = model;
    return match;
  }

  Outcome bedrock(std::string_view rest) {
    const size_t slash = rest.rfind('/');
    if (slash == std::string_view::npos || slash == 0) return std::nullopt;
    const Verb* found = find_verb(kBedrockVerbs, rest.substr(slash + 1));
    if (found == nullptr || !method_fits(kPost)) return std::nullopt;
    return Match{.dialect = Dialect::bedrock,
                 .operation = found->operation,
                 .model_place = ModelPlace::path,
                 .streams = found->streams,
                 .enveloped = found->operation == invoke || found->operation == invoke_stream,
                 .tail = rest,
                 .model = rest.substr(0, slash)};
  }

  std::string_view path_;
  uint8_t method_;
  uint8_t allowed_ = 0;
  ClientHints hints_;
};

}  // namespace
}  // namespace endpoint_table

std::expected<Match, EndpointRefusal> find_endpoint(std::string_view method, std::string_view path, ClientHints hints) {
  return endpoint_table::Lookup(method, path, hints).run();
}

base::Result<std::string_view> decode_model(std::string_view escaped, base::Arena& arena) {
  const auto broken = [](const char* what) { return base::fail(base::ErrorCode::invalid_argument, what); };
  if (escaped.size() > 3 * kModelNameBytesMax) return broken("the model's name in the path is too long");
  std::string_view name = escaped;
  if (escaped.find('%') != std::string_view::npos) {
    const auto decoded = base::percent_decode(escaped);
    if (!decoded) return broken("the model's name in the path has a broken escape");
    name = arena.copy(*decoded);
  }
  if (name.empty() || name.size() > kModelNameBytesMax)
    return broken("the model's name in the path is empty or too long");
  if (!json::is_plain_text(name)) return broken("the model's name in the path has a character that no model name has");
  for (std::string_view rest = name;;) {
    const size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..")
      return broken("the model's name in the path has an empty or dot segment");
    if (slash == std::string_view::npos) return name;
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace llmgw::gateway

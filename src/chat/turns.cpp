#include "chat/turns.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace llmgw::chat {
namespace {

constexpr std::string_view kMissingResult = "The tool was not run: the conversation has no result for this call.";
constexpr std::string_view kFirstTurn = ".";
constexpr std::string_view kGoOn = "Continue.";
constexpr std::string_view kBetweenTexts = "\n\n";  // as between texts of the system's

constexpr std::string_view kWhiteSpace = " \t\r\n";

constexpr bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool fits(std::string_view id, ToolIdRule rule, size_t max) {
  if (id.empty() || id.size() > max) return false;
  switch (rule) {
    case ToolIdRule::any: return true;
    case ToolIdRule::word: return std::ranges::all_of(id, is_word_byte);
    case ToolIdRule::bedrock:
      return std::ranges::all_of(id, [](char c) { return is_word_byte(c) || c == '.' || c == ':'; });
    case ToolIdRule::mistral:
      return id.size() == 9 && std::ranges::all_of(id, [](char c) { return is_word_byte(c) && c != '_' && c != '-'; });
  }
  return false;
}

// FNV-1a, 64 bits (Fowler, Noll, Vo, 1991), from a chosen start: stable names, no security.
uint64_t hash(std::string_view text, uint64_t state) {
  for (const char c : text) state = (state ^ static_cast<uint8_t>(c)) * 0x100000001B3ULL;
  state ^= state >> 29;
  return state * 0x9E3779B97F4A7C15ULL;
}

std::string_view id_from_hash(std::string_view text, bool mistral, size_t max, base::Arena& arena) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr std::string_view kPrefix = "call_";
  constexpr size_t kDigitsCount = 24;  // OpenAI's ids: call_ and 24
  constexpr size_t kMistralCount = 9;
  std::array<uint64_t, 3> parts{hash(text, 0xCBF29CE484222325ULL), hash(text, 0x84222325CBF29CE4ULL),
                                hash(text, 0x2325CBF29CE48422ULL)};
  std::string id(mistral ? std::string_view{} : kPrefix);
  const size_t count = mistral ? kMistralCount : kDigitsCount;
  for (size_t i = 0; i < count; ++i) {
    uint64_t& part = parts[i % parts.size()];
    id += kDigits[part % kDigits.size()];
    part /= kDigits.size();
  }
  return arena.copy(std::string_view(id).substr(0, max));
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kWhiteSpace) == std::string_view::npos;
}

bool is_media(PartKind kind) {
  return kind == PartKind::image || kind == PartKind::document || kind == PartKind::audio || kind == PartKind::video;
}

// Azure and Vertex are other doors to the same formats.
bool same_format(Dialect left, Dialect right) {
  const auto format = [](Dialect dialect) {
    return dialect == Dialect::azure ? Dialect::openai_chat : dialect == Dialect::vertex ? Dialect::gemini : dialect;
  };
  return format(left) == format(right);
}

class Arranger {
 public:
  Arranger(const Request& request, const TurnRules& rules, base::Arena& arena, Warnings& warnings)
      : request_(request), rules_(rules), arena_(arena), warnings_(warnings) {}

  Conversation run() {
    for (index_ = 0; index_ < request_.messages.size(); ++index_) {
      const Message& message = request_.messages[index_];
      switch (message.role) {
        case Role::system:
        case Role::developer: system_message(message); break;
        case Role::assistant: assistant_message(message); break;
        default: user_message(message); break;
      }
    }
    flush();
    finish();
    return conversation_;
  }

 private:
  enum class Said : uint8_t { other, text, piece };

  struct Call {
    std::string_view id;  // the client's
    std::string_view sent_id;
    std::string_view name;
    std::string_view path;  // of the message it is in
    Part result;
    bool answered = false;
  };

  std::string_view field() {
    const size_t count = request_.messages.size();
    index_ = std::min(index_, count > 0 ? count - 1 : 0);  // behind the last it is about the last
    if (count > 0 && !request_.messages[index_].path.empty()) return request_.messages[index_].path;
    const std::string text = (request_.from == Dialect::gemini || request_.from == Dialect::vertex ? "contents["
                              : request_.from == Dialect::openai_responses                         ? "input["
                                                                                                   : "messages[") +
                             std::to_string(index_) + "]";
    return arena_.copy(text);
  }

  void system_message(const Message& message) {
    const bool leading = conversation_.turns.empty() && waiting_.empty();
    if (leading) {
      for (const Part& part : message.parts) {
        if (part.kind != PartKind::text) {
          warnings_.dropped(field(), "only text can stand in a system message");
        } else if (!part.text.empty()) {
          conversation_.system.push(arena_, part);
        }
      }
      return;
    }
    if (rules_.mid_system) {
      Turn turn{.role = Role::system, .name = message.name, .path = message.path};
      for (const Part& part : message.parts) {
        if (!drops_opaque(part)) turn.parts.push(arena_, part);
      }
      if (!turn.parts.empty()) waiting_.push(arena_, turn);
      return;
    }
    for (const Part& part : message.parts) (void)drops_opaque(part);
    const std::string_view text = joined_text(message.parts, "\n", arena_);
    if (is_blank(text)) return;
    warnings_.changed(field(), "a system message inside the conversation became the user's, in <system> tags");
    Turn turn{.role = Role::user, .path = message.path};
    const std::string tagged = "<system>\n" + std::string(text) + "\n</system>";
    turn.parts.push(arena_, {.kind = PartKind::text, .text = arena_.copy(tagged)});
    waiting_.push(arena_, turn);
  }

  void assistant_message(const Message& message) {
    silent_ = false;
    const bool answered = std::ranges::any_of(calls_, &Call::answered);
    if (!waiting_.empty() || answered) flush();
    auto& turns = conversation_.turns;
    const bool joins = !turns.empty() && turns.back().role == Role::assistant;
    Turn fresh{.role = Role::assistant, .name = message.name, .phase = message.phase, .path = message.path};
    Turn& turn = joins ? turns.back() : fresh;
    for (const Part& part : message.parts) assistant_part(turn, part);
    if (!joins && !turn.parts.empty()) turns.push(arena_, turn);
  }

  bool drops_opaque(const Part& part) {
    if (part.kind != PartKind::opaque || !rules_.opaque_of || same_format(part.origin, *rules_.opaque_of)) return false;
    warnings_.dropped(field(), "an item of another provider's own tools cannot be sent to this one");
    return true;
  }

  void assistant_part(Turn& turn, Part part) {
    if (part.kind != PartKind::text) said_last_ = Said::other;  // whether it stays or not
    if (drops_opaque(part)) return;
    // Also if its signature may not go back.
    const bool piece = part.has_signature() || !part.citations.empty() || same_format(request_.from, Dialect::gemini);
    if (part.has_signature() && !may_return(*part.signature, rules_.minter, rules_.model)) {
      warnings_.dropped(field(), "a reasoning signature of another provider or model cannot be sent to this one");
      part.signature = nullptr;
    }
    if (part.kind == PartKind::thinking) {
      if (!rules_.keep_thinking || (!part.has_signature() && (rules_.thinking_needs_signature || part.text.empty()))) {
        warnings_.dropped(field(), "this model takes back no reasoning but its own, signed");
        return;
      }
    } else if (part.kind == PartKind::text && !part.has_signature() && drops_text(part.text)) {
      return;
    }
    if (part.kind == PartKind::text) {
      if (rules_.one_text && stands_apart(turn.parts, part.text, piece)) {
        part.text = arena_.concat(kBetweenTexts, part.text);
      }
      said_last_ = piece ? Said::piece : Said::text;
    }
    if (part.kind == PartKind::tool_call) {
      conversation_.has_tool_parts = true;
      const Call call{.id = part.id, .sent_id = send_id(part.id), .name = part.name, .path = field(), .result = {}};
      if (!call.id.empty()) calls_by_id_.try_emplace(call.id, calls_.size());
      calls_.push(arena_, call);
      part.id = call.sent_id;
    }
    turn.parts.push(arena_, part);
  }

  // Whether a text would run into the one before it in the turn, and is no piece of the same sentence.
  bool stands_apart(const List<Part>& before, std::string_view text, bool piece) const {
    if (text.empty() || kWhiteSpace.contains(text.front())) return false;
    if (said_last_ != Said::other && (piece || said_last_ == Said::piece)) return false;
    for (size_t i = before.size(); i-- > 0;) {
      const std::string_view last = before[i].text;
      if (before[i].kind == PartKind::text) return !last.empty() && !kWhiteSpace.contains(last.back());
    }
    return false;
  }

  bool drops_text(std::string_view text) const {
    return (rules_.drop_empty_text && text.empty()) || (rules_.drop_blank_text && is_blank(text));
  }

  std::string_view send_id(std::string_view id) {
    ++call_count_;
    std::string_view fitted = id.empty() ? fit_tool_id(mint_tool_id(request_.model, call_count_, arena_),
                                                       rules_.id_rule, rules_.id_max, arena_)
                                         : fit_tool_id(id, rules_.id_rule, rules_.id_max, arena_);
    if (rules_.ids_unique && used_ids_.contains(fitted)) {
      // Some models count their calls from zero in every turn.
      const std::string again = std::string(id) + "#" + std::to_string(call_count_);
      fitted = id_from_hash(again, rules_.id_rule == ToolIdRule::mistral, rules_.id_max, arena_);
    }
    used_ids_.insert(fitted);
    return fitted;
  }

  void user_message(const Message& message) {
    Turn turn{.role = Role::user, .name = message.name, .path = message.path};
    for (const Part& part : message.parts) {
      if (part.kind == PartKind::tool_result) {
        conversation_.has_tool_parts = true;
        if (!take_result(part)) orphan(turn, part);
      } else if (!drops_opaque(part) &&
                 (part.kind != PartKind::text || !drops_text(part.text) || part.has_signature())) {
        turn.parts.push(arena_, part);
      }
    }
    silent_ = turn.parts.empty();
    if (!turn.parts.empty()) waiting_.push(arena_, turn);
  }

  // The call it answers: by id, without one by name, else the first that waits.
  Call* find_call(const Part& result) {
    // Results come in the order of the calls, or nearly so: looking further would only let a hostile request cost time.
    constexpr size_t kLookAheadMax = 256;
    const auto found = result.id.empty() ? calls_by_id_.end() : calls_by_id_.find(result.id);
    if (found != calls_by_id_.end() && !calls_[found->second].answered) return &calls_[found->second];
    while (first_waiting_ < calls_.size() && calls_[first_waiting_].answered) ++first_waiting_;
    if (first_waiting_ == calls_.size()) return nullptr;
    if (result.id.empty() && result.name.empty()) return &calls_[first_waiting_];
    const size_t end = std::min(calls_.size(), first_waiting_ + kLookAheadMax);
    for (size_t i = first_waiting_; i < end; ++i) {
      Call& call = calls_[i];
      if (call.answered) continue;
      if (!result.id.empty() && !call.id.empty() ? call.id == result.id : call.name == result.name) return &call;
    }
    return nullptr;
  }

  bool take_result(const Part& result) {
    Call* const call = find_call(result);
    if (call == nullptr) return false;
    call->answered = true;
    call->result = result;
    return true;
  }

  // A result nobody asked for: its words stay, as the user's.
  void orphan(Turn& turn, const Part& result) {
    warnings_.changed(field(), "a tool result without a call became text");
    const std::string text = "[result of an earlier tool call" +
                             (result.name.empty() ? std::string() : " (" + std::string(result.name) + ")") +
                             "]: " + std::string(joined_text(result.content, "\n", arena_));
    turn.parts.push(arena_, {.kind = PartKind::text, .text = arena_.copy(text)});
    for (const Part& part : result.content) {
      if (is_media(part.kind)) turn.parts.push(arena_, part);
    }
  }

  // The calls at hand are answered, then comes what the user said meanwhile.
  void flush() {
    Turn media{.role = Role::user};
    Turn results{.role = Role::user};
    for (Call& call : calls_) {
      if (!call.answered) {
        if (!rules_.complete_results) continue;
        warnings_.changed(call.path, "a tool call without a result got one that says so");
        call.result = {.kind = PartKind::tool_result, .is_error = true};
        call.result.content.push(arena_, {.kind = PartKind::text, .text = kMissingResult});
      }
      Part result = call.result;
      result.id = call.sent_id;
      result.name = call.name;
      if (rules_.media_out_of_results) move_media(result, media);
      if (rules_.results_in_user_turn) {
        results.parts.push(arena_, result);
      } else {
        Turn turn{.role = Role::tool, .name = result.name};
        turn.parts.push(arena_, result);
        conversation_.turns.push(arena_, turn);
      }
    }
    calls_.clear();
    calls_by_id_.clear();
    first_waiting_ = 0;
    if (!results.parts.empty()) conversation_.turns.push(arena_, results);
    if (!media.parts.empty()) push(media);
    for (const Turn& turn : waiting_) push(turn);
    waiting_.clear();
  }

  void move_media(Part& result, Turn& media) {
    if (std::ranges::none_of(result.content, [](const Part& part) { return is_media(part.kind); })) return;
    List<Part> kept;
    bool moved = false;
    for (const Part& part : result.content) {
      if (!is_media(part.kind)) {
        kept.push(arena_, part);
        continue;
      }
      if (part.kind == PartKind::document && part.media != nullptr && part.media->source == MediaSource::text) {
        const std::string_view title = part.name.empty() ? part.name : arena_.concat(part.name, "\n\n");
        kept.push(arena_, {.kind = PartKind::text, .text = arena_.concat(title, part.media->data)});
        continue;
      }
      moved = true;
      const std::string what(part.kind == PartKind::image      ? "image"
                             : part.kind == PartKind::document ? "document"
                                                               : "media");
      kept.push(arena_, {.kind = PartKind::text, .text = arena_.copy("[" + what + ": see the next user message]")});
      const std::string label = "[" + what + " returned by the tool call " + std::string(result.id) + "]";
      media.parts.push(arena_, {.kind = PartKind::text, .text = arena_.copy(label)});
      media.parts.push(arena_, part);
    }
    result.content = kept;
    if (moved) warnings_.changed(field(), "media of a tool result moved into a user message behind it");
  }

  void push(const Turn& turn) {
    auto& turns = conversation_.turns;
    if (rules_.merge && !turns.empty() && turns.back().role == turn.role && turns.back().name == turn.name) {
      const bool apart = rules_.results_alone && turns.back().parts.front().kind == PartKind::tool_result;
      if (!apart) {
        for (const Part& part : turn.parts) turns.back().parts.push(arena_, part);
        return;
      }
      if (rules_.alternate) {
        warnings_.changed("messages", "this model takes results alone in their turn: the assistant says \".\" between");
        Turn between{.role = Role::assistant};
        between.parts.push(arena_, {.kind = PartKind::text, .text = kFirstTurn});
        turns.push(arena_, between);
      }
    }
    turns.push(arena_, turn);
  }

  void finish() {
    auto& turns = conversation_.turns;
    if (turns.empty() || (rules_.user_first && turns.front().role == Role::assistant)) {
      if (rules_.user_first) {
        warnings_.changed(arena_.copy("messages"), "a conversation has to begin with the user: \".\" was put first");
        List<Turn> shifted;
        Turn first{.role = Role::user};
        first.parts.push(arena_, {.kind = PartKind::text, .text = kFirstTurn});
        shifted.push(arena_, first);
        for (const Turn& turn : turns) shifted.push(arena_, turn);
        turns = shifted;
      }
    }
    if (turns.empty() || turns.back().role != Role::assistant) return;
    if (silent_) {
      warnings_.changed(field(), "nothing of this message behind the assistant's is sent but \".\"");
      Turn last{.role = Role::user};
      last.parts.push(arena_, {.kind = PartKind::text, .text = kFirstTurn});
      turns.push(arena_, last);
      return;
    }
    if (!rules_.allow_prefill) {
      warnings_.changed(field(), "this model does not continue an answer: the user asks it to");
      Turn last{.role = Role::user};
      last.parts.push(arena_, {.kind = PartKind::text, .text = kGoOn});
      turns.push(arena_, last);
      return;
    }
    Part& last = turns.back().parts.back();
    if (last.kind != PartKind::text) return;
    const size_t end = last.text.find_last_not_of(kWhiteSpace);
    if (end == std::string_view::npos || end + 1 == last.text.size()) return;
    last.text = last.text.substr(0, end + 1);
  }

  const Request& request_;
  const TurnRules& rules_;
  base::Arena& arena_;
  Warnings& warnings_;
  Conversation conversation_;
  List<Call> calls_;    // of the assistant's turn at hand
  List<Turn> waiting_;  // what came behind it and is no result
  std::unordered_set<std::string_view> used_ids_;
  std::unordered_map<std::string_view, size_t> calls_by_id_;  // the turn at hand; the first call of each id
  size_t first_waiting_ = 0;                                  // calls before it are answered
  uint32_t call_count_ = 0;
  Said said_last_ = Said::other;  // by the assistant
  bool silent_ = false;           // the user's last message says nothing
  size_t index_ = 0;
};

}  // namespace

Conversation arrange(const Request& request, const TurnRules& rules, base::Arena& arena, Warnings& warnings) {
  return Arranger(request, rules, arena, warnings).run();
}

std::string_view fit_tool_id(std::string_view id, ToolIdRule rule, size_t max, base::Arena& arena) {
  if (fits(id, rule, max)) return id;
  return id_from_hash(id, rule == ToolIdRule::mistral, max, arena);
}

std::string_view mint_tool_id(std::string_view seed, uint32_t number, base::Arena& arena) {
  constexpr size_t kMax = 29;
  const std::string text = std::string(seed) + "/" + std::to_string(number);
  return id_from_hash(text, false, kMax, arena);
}

std::string_view joined_text(const List<Part>& parts, std::string_view separator, base::Arena& arena) {
  std::string_view only;
  size_t count = 0;
  for (const Part& part : parts) {
    if (part.kind != PartKind::text && part.kind != PartKind::refusal) continue;
    only = part.text;
    ++count;
  }
  if (count <= 1) return only;
  std::string text;
  for (const Part& part : parts) {
    if (part.kind != PartKind::text && part.kind != PartKind::refusal) continue;
    if (!text.empty()) text += separator;
    text += part.text;
  }
  return arena.copy(text);
}

}  // namespace llmgw::chat

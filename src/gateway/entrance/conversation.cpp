#include "gateway/entrance/conversation.h"

#include <algorithm>
#include <array>

#include "json/direct_reader.h"
#include "routing/prefix/block_hash.h"

namespace llmgw::gateway {
namespace {

using chat::Dialect;
using json::DirectReader;
using json::Kind;
using routing::chain_hash;
using routing::hash_text;

// Of a prompt without messages.
constexpr size_t kPromptBytes = 1024;

constexpr std::array<std::string_view, 4> kRules{"system", "instructions", "systemInstruction", "system_instruction"};
// Members that say how a text is sent and not what it says.
constexpr std::array<std::string_view, 4> kWrapping{"type", "cache_control", "cachePoint", "role"};
constexpr std::array<std::string_view, 5> kNotTheModel{"user", "system", "developer", "", "message"};

template <class Names>
bool is_one_of(std::string_view name, const Names& names) {
  return std::ranges::find(names, name) != names.end();
}

std::string_view list_of_messages(Dialect dialect) {
  switch (dialect) {
    case Dialect::gemini:
    case Dialect::vertex: return "contents";
    case Dialect::openai_responses: return "input";
    default: return "messages";
  }
}

class Pass {
 public:
  Pass(std::string_view body, Dialect dialect, uint64_t seed)
      : body_(body), reader_(body), messages_(list_of_messages(dialect)), seed_(seed) {
    responses_ = dialect == Dialect::openai_responses;
    rules_known_ = dialect == Dialect::openai_chat || dialect == Dialect::azure;  // they are messages there
  }

  uint64_t run() {
    std::string_view key;
    if (reader_.kind() != Kind::object || !reader_.enter_object()) return 0;
    while (!enough() && reader_.next_member(key)) member(key);
    if (reader_.failed()) return 0;
    if (!conversation_.empty()) return never_0(hash_text(conversation_, hash_text("conversation", seed_)));
    if (!previous_.empty()) return conversation_after(previous_, seed_);
    if (spoke_) return never_0(chain_hash(chain_hash(seed_, rules_), turns_));
    if (prompt_.empty()) return 0;
    return never_0(hash_text(prompt_.substr(0, kPromptBytes), seed_));
  }

  static uint64_t never_0(uint64_t hash) { return hash == 0 ? 1 : hash; }

 private:
  // What follows in the body, most of a long one, says nothing more. The Responses API may name its conversation there.
  bool enough() const { return answered_ && rules_known_ && !responses_; }

  void member(std::string_view key) {
    if (key == messages_) return turns();
    if (is_one_of(key, kRules)) {
      rules_ = add(rules_);
      rules_known_ = true;
    } else if (responses_ && key == "conversation") {
      conversation_ = id();
    } else if (responses_ && key == "previous_response_id" && reader_.kind() == Kind::string) {
      previous_ = reader_.string();
    } else if (key == "prompt" && reader_.kind() == Kind::string) {
      prompt_ = reader_.string();
    } else {
      reader_.skip();
    }
  }

  // A text, or the member of an object.
  std::string_view id() {
    std::string_view found;
    std::string_view key;
    if (reader_.kind() == Kind::string) return reader_.string();
    if (reader_.kind() != Kind::object || !reader_.enter_object()) {
      reader_.skip();
      return {};
    }
    while (reader_.next_member(key)) {
      if (key == "id" && reader_.kind() == Kind::string) {
        found = reader_.string();
      } else {
        reader_.skip();
      }
    }
    return found;
  }

  void turns() {
    if (reader_.kind() != Kind::array) {
      spoke_ = reader_.kind() == Kind::string;
      turns_ = add(turns_);
      return;
    }
    if (!reader_.enter_array()) return;
    while (!enough() && reader_.next_element()) {
      if (answered_) {
        reader_.skip();
      } else {
        turn();
      }
    }
  }

  // Its role may stand behind what it says.
  void turn() {
    std::string_view role;
    std::string_view type;
    std::string_view key;
    uint64_t said = turns_;
    if (reader_.kind() != Kind::object || !reader_.enter_object()) {
      spoke_ = true;
      turns_ = add(turns_);
      return;
    }
    while (reader_.next_member(key)) {
      const bool text = reader_.kind() == Kind::string;
      if (key == "role" && text) {
        role = reader_.string();
      } else if (key == "type" && text) {
        type = reader_.string();
      } else if (is_one_of(key, kWrapping)) {
        reader_.skip();
      } else {
        said = add(said);
      }
    }
    // Items of the Responses API that are no message have a type alone: calls, their results, thoughts.
    const bool models = !is_one_of(role.empty() ? type : role, kNotTheModel);
    answered_ = models && spoke_;
    if (answered_) return;
    spoke_ = spoke_ || (!models && role != "system" && role != "developer");
    turns_ = hash_text(role, said);
  }

  // What the value at hand says, behind what was said before.
  uint64_t add(uint64_t hash) {
    std::string_view key;
    switch (reader_.kind()) {
      case Kind::string: return hash_text(reader_.string(), hash);
      case Kind::array:
        if (!reader_.enter_array()) return hash;
        while (reader_.next_element()) hash = add(hash);
        return hash;
      case Kind::object:
        if (!reader_.enter_object()) return hash;
        while (reader_.next_member(key)) {
          if (is_one_of(key, kWrapping)) {
            reader_.skip();
          } else {
            hash = add(hash);
          }
        }
        return hash;
      default: break;
    }
    const size_t start = reader_.position();
    reader_.skip();
    return hash_text(body_.substr(start, reader_.consumed() - start), hash);
  }

  std::string_view body_;
  DirectReader reader_;
  std::string_view messages_;
  uint64_t seed_;
  bool responses_ = false;
  uint64_t rules_ = 0;
  uint64_t turns_ = 0;
  bool spoke_ = false;        // the user
  bool answered_ = false;     // the model, to that
  bool rules_known_ = false;  // there are none, or they have been read
  std::string_view conversation_;
  std::string_view previous_;
  std::string_view prompt_;
};

}  // namespace

uint64_t conversation_of(std::string_view body, Dialect dialect, uint64_t seed) {
  return Pass(body, dialect, seed).run();
}

uint64_t conversation_after(std::string_view response_id, uint64_t seed) {
  return Pass::never_0(hash_text(response_id, hash_text("response", seed)));
}

std::string_view response_id_in(std::string_view beginning) {
  DirectReader reader(beginning);
  std::string_view key;
  if (reader.kind() != Kind::object || !reader.enter_object()) return {};
  while (reader.next_member(key)) {
    if (key == "id" && reader.kind() == Kind::string) return reader.string();
    reader.skip();
  }
  return {};
}

}  // namespace llmgw::gateway

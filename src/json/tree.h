// A JSON document that can be asked in any order: the Parser's token index plus, for every bracket, where its partner
// is. The whole grammar is checked once, escapes included, so that nothing fails afterwards. Nothing is copied but
// texts with escapes, and those only when asked for.
//
//   TRY(root, json::parse_tree(parser, body, arena));
//   if (root["stream"].boolean()) ...
//   for (const json::Member member : root["metadata"].members()) use(member.key(arena), member.value.raw());
//
// A Value is two words, valid as long as the text and the arena, and until the Parser parses again. Asking a value for
// what it is not answers nothing: an absent Value, an empty text, no number. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"
#include "json/reader.h"

namespace llmgw::json {

struct TreeIndex {
  std::string_view text;
  const uint32_t* tokens = nullptr;
  const uint32_t* partners = nullptr;  // of an opening bracket: the token of the closing one
  uint32_t token_count = 0;
};

struct Member;
class MemberRange;
class ElementRange;

class Value {
 public:
  Value() = default;
  Value(const TreeIndex* index, uint32_t token) : index_(index), token_(token) {}

  Kind kind() const;  // `invalid` if absent
  bool present() const { return index_ != nullptr; }
  bool is_object() const { return kind() == Kind::object; }
  bool is_array() const { return kind() == Kind::array; }
  bool is_string() const { return kind() == Kind::string; }
  bool is_number() const { return kind() == Kind::number; }
  bool is_null() const { return kind() == Kind::null; }
  // Absent or null: most APIs take the two for the same.
  bool is_unset() const { return !present() || is_null(); }

  // The value as it stands in the document, brackets and quotes included; empty if absent.
  std::string_view raw() const;
  // A string's text, unescaped (see json/text.h), in the arena if anything had to be; empty if it is none.
  std::string_view string(base::Arena& arena) const;
  // A string's text as it stands between the quotes.
  std::string_view escaped() const;
  // True if it is a string of exactly this text. `text` must not need escapes.
  bool equals(std::string_view text) const;
  // A number's text.
  std::string_view number() const;
  // A whole number, also written as 3.0 or 3e2, within the type.
  std::optional<uint64_t> unsigned_integer() const;
  std::optional<int64_t> integer() const;
  std::optional<double> real() const;
  std::optional<bool> boolean() const;
  bool is_true() const { return boolean().value_or(false); }

  // The member of that name, the last one if there are several (as JavaScript and Python read it); absent if none.
  // A scan over the members: for an object with many, iterate once instead.
  Value operator[](std::string_view key) const;
  Value operator[](const char* key) const { return (*this)[std::string_view(key)]; }
  // The first of several names that is there and not null.
  template <class... Keys>
  Value any_of(Keys... keys) const {
    Value found;
    (void)((found = (*this)[std::string_view(keys)], !found.is_unset()) || ...);
    return found.is_unset() ? Value() : found;
  }
  Value first_element() const;
  size_t size() const;  // members or elements; a scan
  bool empty() const { return size() == 0; }
  MemberRange members() const;    // empty if not an object
  ElementRange elements() const;  // empty if not an array

 private:
  friend class MemberRange;
  friend class ElementRange;
  char first_byte() const { return index_->text[index_->tokens[token_]]; }
  std::string_view scalar() const;
  uint32_t behind() const;  // the token behind this value

  const TreeIndex* index_ = nullptr;
  uint32_t token_ = 0;
};

struct Member {
  std::string_view escaped_key;
  Value value;
  std::string_view key(base::Arena& arena) const;
  // Unescapes if it has to.
  bool is(std::string_view name) const;
};

class MemberRange {
 public:
  class Iterator {
   public:
    Iterator(const TreeIndex* index, uint32_t token) : index_(index), token_(token) {}
    Member operator*() const;
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return token_ != other.token_; }

   private:
    const TreeIndex* index_;
    uint32_t token_;  // on a key, or on the closing bracket
  };
  explicit MemberRange(Value object) : object_(object) {}
  Iterator begin() const;
  Iterator end() const;

 private:
  Value object_;
};

class ElementRange {
 public:
  class Iterator {
   public:
    Iterator(const TreeIndex* index, uint32_t token) : index_(index), token_(token) {}
    Value operator*() const { return {index_, token_}; }
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return token_ != other.token_; }

   private:
    const TreeIndex* index_;
    uint32_t token_;
  };
  explicit ElementRange(Value array) : array_(array) {}
  Iterator begin() const;
  Iterator end() const;

 private:
  Value array_;
};

// The document's one value. Eight bytes of arena for each token. Errors: those of Parser::parse, and invalid_argument
// with a text fit for the client for everything else that is not JSON.
base::Result<Value> parse_tree(Parser& parser, std::string_view text, base::Arena& arena);

}  // namespace llmgw::json

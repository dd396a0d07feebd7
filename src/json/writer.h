// An append-only JSON writer: commas and escapes are its business, nesting is the caller's (every begin has its end).
// It owns nothing and allocates nothing but what the string needs. One thread.
//
//   Writer w(out);
//   w.begin_object().member("id", id).key("data").begin_array();
//   for (auto& model : models) w.value(model.name);
//   w.end_array().end_object();
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

#include "json/text.h"

namespace llmgw::json {

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  Writer& begin_object() { return open('{'); }
  Writer& end_object() { return close('}'); }
  Writer& begin_array() { return open('['); }
  Writer& end_array() { return close(']'); }

  Writer& key(std::string_view name) {
    comma();
    append_quoted(out_, name);
    out_ += ':';
    pending_comma_ = false;
    return *this;
  }

  Writer& value(std::string_view text) {
    comma();
    append_quoted(out_, text);
    return done();
  }
  Writer& value(const char* text) { return value(std::string_view(text)); }
  Writer& value(bool truth) { return raw(truth ? "true" : "false"); }
  template <std::integral T>
    requires(!std::same_as<T, bool> && !std::same_as<T, char>)
  Writer& value(T number) {
    return number_text(number);
  }
  // The shortest text that reads back as the same double; NaN and infinity, which JSON lacks, become null.
  Writer& value(double number) { return std::isfinite(number) ? number_text(number) : null(); }
  Writer& null() { return raw("null"); }
  // Text that is JSON already.
  Writer& raw(std::string_view json) {
    comma();
    out_ += json;
    return done();
  }

  template <class T>
  Writer& member(std::string_view name, const T& content) {
    return key(name).value(content);
  }
  Writer& null_member(std::string_view name) { return key(name).null(); }
  Writer& raw_member(std::string_view name, std::string_view json) { return key(name).raw(json); }
  // null for an empty text, else the text.
  Writer& text_or_null(std::string_view name, std::string_view text) {
    return text.empty() ? null_member(name) : member(name, text);
  }

 private:
  void comma() {
    if (pending_comma_) out_ += ',';
  }
  Writer& done() {
    pending_comma_ = true;
    return *this;
  }
  Writer& open(char bracket) {
    comma();
    out_ += bracket;
    pending_comma_ = false;
    return *this;
  }
  Writer& close(char bracket) {
    out_ += bracket;
    return done();
  }
  template <class T>
  Writer& number_text(T number) {
    comma();
    char buffer[32];  // the longest double takes 24 characters, the longest 64-bit integer 20
    const auto result = std::to_chars(buffer, buffer + sizeof buffer, number);
    out_.append(buffer, result.ptr);
    return done();
  }

  std::string& out_;
  bool pending_comma_ = false;
};

}  // namespace llmgw::json

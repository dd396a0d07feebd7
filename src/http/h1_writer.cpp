#include "http/h1_writer.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <type_traits>

#include "http/h1_grammar.h"

namespace llmgw::http {

using base::ErrorCode;

void HeadBuffer::append(const char* bytes, size_t count) {
  if (overflowed_ || count > memory_.size() - size_) {
    overflowed_ = true;
    return;
  }
  if (count != 0) std::memcpy(memory_.data() + size_, bytes, count);
  size_ += count;
}

bool valid_header_name(std::string_view name) {
  return !name.empty() && grammar::skip_token(name.begin(), name.end()) == name.end();
}

bool valid_header_value(std::string_view value) {
  constexpr size_t kStep = 16;  // of skip_value, which is slow on what is left
  const char* const end = value.data() + value.size();
  if (value.size() < kStep) return grammar::skip_value(value.data(), end) == end;
  const char* const whole_steps = end - value.size() % kStep;
  return grammar::skip_value(value.data(), whole_steps) == whole_steps && grammar::skip_value(end - kStep, end) == end;
}

bool valid_target(std::string_view target) {
  return !target.empty() && grammar::skip_target(target.begin(), target.end()) == target.end();
}

namespace {

template <class Word>
void copy_ends(char* out, const char* from, size_t size) {
  Word first;
  Word last;
  std::memcpy(&first, from, sizeof first);
  std::memcpy(&last, from + size - sizeof last, sizeof last);
  std::memcpy(out, &first, sizeof first);
  std::memcpy(out + size - sizeof last, &last, sizeof last);
}

// Names and most values are short: two words that overlap copy 4 to 16 bytes without a call.
inline char* put_short(char* out, std::string_view text) {
  const size_t size = text.size();
  if (size > 16) {
    std::memcpy(out, text.data(), size);
  } else if (size >= 8) {
    copy_ends<uint64_t>(out, text.data(), size);  // NOLINT(bugprone-suspicious-stringview-data-usage): it has the size
  } else if (size >= 4) {
    copy_ends<uint32_t>(out, text.data(), size);  // NOLINT(bugprone-suspicious-stringview-data-usage): as above
  } else {
    for (size_t i = 0; i < size; ++i) out[i] = text[i];
  }
  return out + size;
}

}  // namespace

template <class Sink>
void BasicHeadWriter<Sink>::put_line(std::string_view name, std::string_view prefix, std::string_view value) {
  if constexpr (std::is_same_v<Sink, std::string>) {
    const size_t before = out_->size();
    const size_t after = before + name.size() + prefix.size() + value.size() + 4;  // ": " and the end of the line
    out_->resize_and_overwrite(after, [&](char* text, size_t) {
      char* out = put_short(text + before, name);
      *out++ = ':';
      *out++ = ' ';
      if (!prefix.empty()) out = put_short(out, prefix);
      out = put_short(out, value);
      out[0] = '\r';
      out[1] = '\n';
      return after;
    });
  } else {
    for (const std::string_view part : {name, std::string_view(": "), prefix, value, std::string_view("\r\n")})
      put(part);
  }
}

template <class Sink>
BasicHeadWriter<Sink>& BasicHeadWriter<Sink>::request_line(std::string_view method, std::string_view target) {
  refused_ = refused_ || !valid_header_name(method) || !valid_target(target);
  if (refused_) return *this;
  put(method);
  put(" ");
  put(target);
  put(" HTTP/1.1\r\n");
  return *this;
}

template <class Sink>
BasicHeadWriter<Sink>& BasicHeadWriter<Sink>::status_line(uint16_t status, std::string_view reason) {
  const bool good_reason = valid_header_value(reason);
  if (reason.empty()) reason = reason_phrase(status);
  refused_ = refused_ || status < 100 || status > 599 || !good_reason;
  if (refused_) return *this;
  char line[] = "HTTP/1.1 ddd ";
  line[9] = static_cast<char>('0' + status / 100);
  line[10] = static_cast<char>('0' + status / 10 % 10);
  line[11] = static_cast<char>('0' + status % 10);
  put({line, sizeof line - 1});
  put(reason);
  put("\r\n");
  return *this;
}

template <class Sink>
BasicHeadWriter<Sink>& BasicHeadWriter<Sink>::header(std::string_view name, std::string_view value) {
  return header(name, {}, value);
}

template <class Sink>
BasicHeadWriter<Sink>& BasicHeadWriter<Sink>::header(std::string_view name, std::string_view prefix,
                                                     std::string_view value) {
  refused_ = refused_ || !valid_header_name(name) || !valid_header_value(prefix) || !valid_header_value(value);
  if (!refused_) put_line(name, prefix, value);
  return *this;
}

template <class Sink>
BasicHeadWriter<Sink>& BasicHeadWriter<Sink>::number(HeaderId id, uint64_t value) {
  char digits[20];  // what UINT64_MAX has
  const auto written = std::to_chars(digits, digits + sizeof digits, value);
  if (!refused_) put_line(header_name(id), {}, {digits, static_cast<size_t>(written.ptr - digits)});
  return *this;
}

template <class Sink>
BasicHeadWriter<Sink>& BasicHeadWriter<Sink>::framing(Framing framing, uint64_t content_length) {
  switch (framing) {
    case Framing::content_length: return number(HeaderId::content_length, content_length);
    case Framing::chunked: return header(HeaderId::transfer_encoding, "chunked");
    case Framing::none:
    case Framing::until_close: return *this;
  }
  return *this;
}

template <class Sink>
BasicHeadWriter<Sink>& BasicHeadWriter<Sink>::trusted_lines(std::string_view lines) {
  if (!refused_) put(lines);
  return *this;
}

template <class Sink>
base::Result<void> BasicHeadWriter<Sink>::finish() {
  put("\r\n");
  bool overflowed = false;
  if constexpr (requires { out_->overflowed(); }) overflowed = out_->overflowed();
  if (refused_ || overflowed) out_->resize(start_);
  if (refused_) return base::fail(ErrorCode::invalid_argument, "control character or bad name in a message head");
  if (overflowed) return base::fail(ErrorCode::too_large, "message head larger than its buffer");
  return {};
}

template class BasicHeadWriter<std::string>;
template class BasicHeadWriter<HeadBuffer>;

bool append_trailers(std::string& out, const Headers& trailers) {
  for (const Header& trailer : trailers) {
    const bool forbidden = trailer.id == HeaderId::content_length || trailer.id == HeaderId::transfer_encoding ||
                           trailer.id == HeaderId::host;
    if (forbidden || !valid_header_name(trailer.name) || !valid_header_value(trailer.value)) return false;
  }
  for (const Header& trailer : trailers) {
    out.append(trailer.name).append(": ").append(trailer.value).append("\r\n");
  }
  out.append("\r\n");
  return true;
}

}  // namespace llmgw::http

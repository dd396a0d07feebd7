#include "bench/support/http_body.h"

#include <algorithm>

#include "base/text.h"

namespace llmgw::bench {
namespace {

int hex_digit(char c) {
  if (base::is_digit(c)) return c - '0';
  const char lower = base::to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Applies one header line; false if its value makes no sense.
bool apply_header(std::string_view line, Framing& framing) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = base::trim(line.substr(colon + 1));
  // The length of the name rules nearly every header out before any comparison.
  switch (name.size()) {
    case 6:
      if (base::equals_ignoring_case(name, "expect")) {
        framing.expect_continue = base::equals_ignoring_case(value, "100-continue");
      }
      break;
    case 8:
      if (base::equals_ignoring_case(name, "x-canned")) framing.options = value;
      break;
    case 10:
      if (base::equals_ignoring_case(name, "connection")) framing.close = base::equals_ignoring_case(value, "close");
      break;
    case 12:
      if (base::equals_ignoring_case(name, "content-type"))
        framing.event_stream = value.starts_with("text/event-stream");
      break;
    case 14:
      if (base::equals_ignoring_case(name, "content-length")) {
        const auto length = base::parse_decimal(value);
        if (!length || framing.has_length) return false;
        framing.has_length = true;
        framing.length = *length;
      }
      break;
    case 17:
      if (base::equals_ignoring_case(name, "transfer-encoding")) {
        framing.chunked = base::equals_ignoring_case(value, "chunked");
        return framing.chunked;
      }
      break;
    default: break;
  }
  return true;
}

}  // namespace

Framing read_head(std::string_view head) {
  Framing framing;
  size_t line_end = head.find("\r\n");
  if (line_end == std::string_view::npos) return framing;
  framing.first_line = head.substr(0, line_end);
  size_t at = line_end + 2;
  while ((line_end = head.find("\r\n", at)) != std::string_view::npos && line_end != at) {
    if (!apply_header(head.substr(at, line_end - at), framing)) return framing;
    at = line_end + 2;
  }
  framing.ok = line_end == at && !(framing.chunked && framing.has_length);
  return framing;
}

void BodyReader::start(const Framing& framing, bool until_close) {
  chunked_ = framing.chunked;
  until_close_ = !framing.chunked && !framing.has_length && until_close;
  part_ = Part::size;
  any_digit_ = false;
  remaining_ = framing.has_length ? framing.length : 0;
  content_bytes_ = 0;
  state_ = chunked_ || until_close_ || remaining_ > 0 ? State::reading : State::done;
}

std::string_view BodyReader::take(std::string_view& input, uint64_t limit) {
  const std::string_view piece = input.substr(0, std::min<uint64_t>(limit, input.size()));
  input.remove_prefix(piece.size());
  content_bytes_ += piece.size();
  return piece;
}

std::string_view BodyReader::next(std::string_view& input) {
  if (state_ != State::reading || input.empty()) return {};
  if (until_close_) return take(input, input.size());
  if (!chunked_) {
    const std::string_view piece = take(input, remaining_);
    remaining_ -= piece.size();
    if (remaining_ == 0) state_ = State::done;
    return piece;
  }
  while (!input.empty() && state_ == State::reading) {
    if (part_ == Part::data) {
      const std::string_view piece = take(input, remaining_);
      remaining_ -= piece.size();
      if (remaining_ == 0) part_ = Part::data_cr;
      return piece;
    }
    step_chunk_framing(input);
  }
  return {};
}

// Consumes one byte of what stands between the data of chunks (RFC 9112, section 7.1).
void BodyReader::step_chunk_framing(std::string_view& input) {
  const char c = input.front();
  input.remove_prefix(1);
  const auto expect = [&](char wanted, Part then) {
    if (c == wanted) {
      part_ = then;
    } else {
      state_ = State::malformed;
    }
  };
  switch (part_) {
    case Part::size:
      if (const int digit = hex_digit(c); digit >= 0 && remaining_ < (uint64_t{1} << 40)) {
        remaining_ = remaining_ * 16 + static_cast<uint64_t>(digit);
        any_digit_ = true;
      } else if (any_digit_ && (c == '\r' || c == ';')) {
        part_ = c == '\r' ? Part::size_lf : Part::extension;
      } else {
        state_ = State::malformed;
      }
      break;
    case Part::extension:
      if (c == '\r') part_ = Part::size_lf;
      break;
    case Part::size_lf: expect('\n', remaining_ == 0 ? Part::trailer : Part::data); break;
    case Part::data_cr: expect('\r', Part::data_lf); break;
    case Part::data_lf:
      expect('\n', Part::size);
      remaining_ = 0;
      any_digit_ = false;
      break;
    case Part::trailer: part_ = c == '\r' ? Part::end_lf : Part::trailer_line; break;
    case Part::trailer_line:
      if (c == '\n') part_ = Part::trailer;
      break;
    case Part::end_lf: state_ = c == '\n' ? State::done : State::malformed; break;
    case Part::data: break;
  }
}

bool BodyReader::finish_at_close() {
  if (state_ == State::reading && until_close_) state_ = State::done;
  return state_ == State::done;
}

}  // namespace llmgw::bench

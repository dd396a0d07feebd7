#include "json/array_splitter.h"

#include "json/token.h"

namespace llmgw::json {

bool ArraySplitter::fail(base::ErrorCode code, const char* context) {
  state_ = State::failed;
  error_ = {code, context, 0};
  return false;
}

bool ArraySplitter::open_element(char c) {
  state_ = State::element;
  depth_ = 0;
  escaped_ = false;
  in_string_ = c == '"';
  scalar_ = c != '{' && c != '[';
  if (!scalar_) depth_ = 1;
  if (c == '}' || c == ']' || c == ',' || c == ':') {
    return fail(base::ErrorCode::protocol, "json array: an element was expected");
  }
  return true;
}

bool ArraySplitter::in_element(char c) {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
    }
    return true;
  }
  switch (c) {
    case '"': in_string_ = true; break;
    case '{':
    case '[':
      if (++depth_ > kDepthMax) return fail(base::ErrorCode::too_large, "json array: an element is nested too deep");
      break;
    case '}':
    case ']':
      if (depth_ == 0) break;  // the array's own bracket, behind a scalar
      ended_ = --depth_ == 0 && !scalar_;
      return true;
    default: break;
  }
  if (scalar_ && depth_ == 0 && (c == ',' || c == ']' || c == '}' || is_space(c))) ended_ = true;
  return true;
}

// One byte; false on an error.
bool ArraySplitter::take(char c) {
  switch (state_) {
    case State::element: return in_element(c);
    case State::failed: return false;
    default: break;
  }
  if (is_space(c)) return true;
  switch (state_) {
    case State::start:
      if (c == '[') {
        state_ = State::first;
        return true;
      }
      single_ = c == '{';
      if (single_) return open_element(c);
      return fail(base::ErrorCode::protocol, "json array: the document is no array");
    case State::first:
      if (c != ']') return open_element(c);
      state_ = State::over;
      return true;
    case State::next: return open_element(c);
    case State::behind:
      if (c == ',') {
        state_ = State::next;
        return true;
      }
      if (c == ']') {
        state_ = State::over;
        return true;
      }
      return fail(base::ErrorCode::protocol, "json array: a comma was expected");
    default: return fail(base::ErrorCode::protocol, "json array: more behind its end");
  }
}

base::Result<void> ArraySplitter::feed(std::string_view bytes, ElementSink& sink) {
  if (state_ == State::failed) return base::fail(error_);
  size_t begin = 0;  // of the element at hand, as far as it is in these bytes
  for (size_t i = 0; i < bytes.size(); ++i) {
    const bool inside = state_ == State::element;
    ended_ = false;
    if (!take(bytes[i])) return base::fail(error_);
    if (!inside && state_ == State::element) begin = i;
    if (!ended_) continue;
    const size_t end = scalar_ ? i : i + 1;
    state_ = single_ ? State::over : State::behind;
    const std::string_view piece = bytes.substr(begin, end - begin);
    if (kept_.size() + piece.size() > kElementBytesMax) {
      fail(base::ErrorCode::too_large, "json array: an element is too large");
      return base::fail(error_);
    }
    if (kept_.empty()) {
      sink.element(piece);
    } else {
      kept_ += piece;
      sink.element(kept_);
      kept_.clear();
    }
    // What ended a scalar is not part of it.
    if (scalar_ && !take(bytes[i])) return base::fail(error_);
  }
  if (state_ == State::element) {
    if (kept_.size() + bytes.size() - begin > kElementBytesMax) {
      fail(base::ErrorCode::too_large, "json array: an element is too large");
      return base::fail(error_);
    }
    kept_ += bytes.substr(begin);
  }
  return {};
}

base::Result<void> ArraySplitter::finish() const {
  if (state_ == State::failed) return base::fail(error_);
  if (state_ != State::over) return base::fail(base::ErrorCode::protocol, "json array: cut before its end");
  return {};
}

}  // namespace llmgw::json

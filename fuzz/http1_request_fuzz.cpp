// links: http llhttp
// A request: what the gateway takes, llhttp takes and understands the same; and how its bytes are cut changes nothing.
#include "http1_oracle.h"

namespace llmgw::http::fuzzing {
namespace {

void read_one(std::string_view bytes) {
  const auto parse = [](std::string_view text, RequestHead& head) { return parse_request_head(text, {}, head); };
  Reading<RequestHead> whole;
  whole.head_result = parse(bytes, whole.head);
  if (whole.has_head()) read_body(bytes, bytes.size(), whole);

  const size_t step = step_of(bytes);
  Reading<RequestHead> split;
  read_head_in_pieces(bytes, step, parse, split);
  if (split.has_head()) read_body(bytes, step, split);
  require_same(whole, split);
  if (!whole.has_head()) return;

  require(split.head.path == whole.head.path && split.head.query == whole.head.query, "splits agree on the target");
  require(!whole.head.path.empty() && (whole.head.path.front() == '/' || whole.head.path == "*"), "a path is a path");
  if (whole.head.method == Method::other) return;  // llhttp refuses methods it does not know
  const Oracle oracle(HTTP_REQUEST, bytes, false);
  require(oracle.method == whole.head.method_text, "same method");
  require(oracle.target == whole.head.target, "same target");
  require_agreement(bytes, whole, oracle);
  // llhttp reads Proxy-Connection, which no standard knows, like Connection.
  if (whole.head.headers.has(HeaderId::proxy_connection)) return;
  // A tab behind a word of Connection is white space (RFC 9110, 5.6.3); to llhttp it is part of the word.
  if (bytes.contains('\t')) return;
  // It also keeps an HTTP/1.0 connection that says both keep-alive and close; closing more often does no harm.
  require(!whole.head.keep_alive || oracle.keep_alive, "no connection kept that llhttp would close");
}

}  // namespace
}  // namespace llmgw::http::fuzzing

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  if (size != 0) llmgw::http::fuzzing::read_one({reinterpret_cast<const char*>(data), size});
  return 0;
}

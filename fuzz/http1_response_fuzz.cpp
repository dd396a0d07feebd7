// links: http llhttp
// A response: what the gateway takes, llhttp takes and understands the same; and how its bytes are cut changes nothing.
// The first byte of the input says what was asked: 'H' HEAD, 'C' CONNECT, else GET.
#include "http1_oracle.h"

namespace llmgw::http::fuzzing {
namespace {

Method method_for(char c) {
  if (c == 'H') return Method::head;
  return c == 'C' ? Method::connect : Method::get;
}

void read_one(Method method, std::string_view bytes) {
  const auto parse = [method](std::string_view text, ResponseHead& head) {
    return parse_response_head(text, {}, method, head);
  };
  Reading<ResponseHead> whole;
  whole.head_result = parse(bytes, whole.head);
  if (whole.has_head()) read_body(bytes, bytes.size(), whole);

  const size_t step = step_of(bytes);
  Reading<ResponseHead> split;
  read_head_in_pieces(bytes, step, parse, split);
  if (split.has_head()) read_body(bytes, step, split);
  require_same(whole, split);
  if (!whole.has_head()) return;

  const ResponseHead& head = whole.head;
  require(split.head.status == head.status && split.head.reason == head.reason, "splits agree on the status line");
  // Which statuses and methods have no body is left to llhttp's user.
  const bool no_body = method == Method::head || head.status < 200 || head.status == 204 || head.status == 304 ||
                       (method == Method::connect && head.status < 300);
  require(!no_body || head.framing == Framing::none, "no body where there cannot be one");
  // Its framing fields mean nothing, so llhttp, which knows nothing of CONNECT, may refuse what we need not read.
  if (method == Method::connect && head.status < 300) return;
  const Oracle oracle(HTTP_RESPONSE, bytes, no_body);
  require(oracle.status == head.status, "same status");
  require(base::trim(oracle.reason) == base::trim(head.reason), "same reason");
  require_agreement(bytes, whole, oracle);
}

}  // namespace
}  // namespace llmgw::http::fuzzing

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  llmgw::http::fuzzing::read_one(llmgw::http::fuzzing::method_for(bytes.front()), bytes.substr(1));
  return 0;
}

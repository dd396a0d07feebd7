// A function call's arguments that come in pieces (Vertex AI's streamFunctionCallArguments): each piece names a place
// by a JSON path ($.a.b[0]) and gives a value, strings in parts. One call, one thread.
// Source: google.cloud.aiplatform.v1beta1 PartialArg (2026).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "json/tree.h"
#include "json/writer.h"

namespace llmgw::dialects::gemini {

class PartialArgs {
 public:
  static constexpr size_t kNodesMax = 10'000;                // values in one call's arguments
  static constexpr size_t kDepthMax = 64;                    // steps of a path
  static constexpr size_t kTextBytesMax = size_t{16} << 20;  // as much as a Sequencer keeps

  // The arguments that came whole, if any, as JSON.
  void whole(std::string_view json);
  // One element of partialArgs. False if it is none, or too much: the call is broken.
  bool add(json::Value piece, base::Arena& arena);
  std::string json() const;

 private:
  enum class Kind : uint8_t { unset, object, array, text, scalar };
  struct Node {
    Kind kind = Kind::unset;
    std::string key = {};
    std::string text = {};  // of a text or scalar
    std::vector<size_t> children = {};
  };

  size_t child(size_t parent, std::string_view key);
  size_t element(size_t parent, size_t index);
  size_t place(std::string_view path);
  bool set(size_t node, json::Value piece, base::Arena& arena);
  void write(json::Writer& w, size_t node) const;

  std::deque<Node> nodes_{Node{.kind = Kind::object}};
  std::string whole_;
  size_t text_bytes_ = 0;
};

}  // namespace llmgw::dialects::gemini

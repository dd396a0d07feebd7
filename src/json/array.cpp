#include "json/array.h"

namespace llmgw::json {

void append_elements(std::string& array, std::string_view more) {
  constexpr size_t kEmptyBytes = 2;  // "[]"
  if (more.size() <= kEmptyBytes) return;
  if (array.size() <= kEmptyBytes) {
    array = more;
    return;
  }
  array.back() = ',';
  array += more.substr(1);
}

}  // namespace llmgw::json

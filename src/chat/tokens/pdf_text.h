// How much a PDF says: its pages and the characters its pages show, for an estimate. Knows the content streams that
// almost all writers make (deflated or plain, text operators of ISO 32000-1, 9.4.3), not the whole format: encryption,
// other filters and forms are passed over. Pure; any thread; bounded in time and memory.
#pragma once

#include <cstdint>
#include <string_view>

namespace llmgw::chat {

struct PdfCounts {
  uint64_t pages = 0;
  uint64_t characters = 0;
};
PdfCounts count_pdf(std::string_view bytes);

}  // namespace llmgw::chat

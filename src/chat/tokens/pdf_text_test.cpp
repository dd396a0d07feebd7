#include "chat/tokens/pdf_text.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace llmgw::chat {
namespace {

std::string deflated(std::string_view text) {
  std::string out(::compressBound(text.size()), '\0');
  auto size = static_cast<uLongf>(out.size());
  ::compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(text.data()), text.size());
  return out.substr(0, size);
}

std::string stream(std::string_view content) {
  return "<< /Length 9 >> stream\r\n" + std::string(content) + "\nendstream endobj ";
}

TEST(PdfText, CountsPagesAndCharacters) {
  const std::string content =
      "q BT /F1 12 Tf (One \\) (two) three) Tj <00410042> Tj ET (not shown) Q BT [(a) -3 (b)] TJ ET";
  const std::string page = "1 0 obj << /Type /Page >> endobj << /Type /Pages >> ";
  for (const std::string& written : {stream(content), stream(deflated(content))}) {
    const PdfCounts counts = count_pdf("%PDF-1.7 " + page + page + written);
    EXPECT_EQ(counts.pages, 2U);
    EXPECT_EQ(counts.characters, std::string_view("One ) (two) three").size() + 2 + 2);
  }
  EXPECT_EQ(count_pdf("%PDF-1.7 " + stream(deflated(page + page + page))).pages, 3U) << "objects in a stream";
}

TEST(PdfText, WhateverComes) {
  EXPECT_EQ(count_pdf("").pages, 1U);
  EXPECT_EQ(count_pdf("stream").characters, 0U);
  EXPECT_EQ(count_pdf("stream\nBT (").characters, 0U);
  EXPECT_LE(count_pdf("stream\nBT (((\\endstream").characters, 4U);
  EXPECT_EQ(count_pdf("stream\nBT <0041").characters, 0U);
  EXPECT_EQ(count_pdf("stream\n" + deflated(std::string(size_t{8} << 20, '(')) + "endstream").characters, 0U)
      << "too large to be a page";
}

}  // namespace
}  // namespace llmgw::chat

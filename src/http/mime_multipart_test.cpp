#include "http/mime_multipart.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::http {
namespace {

using base::ErrorCode;
using namespace std::string_view_literals;

constexpr std::string_view kUpload =
    "--B0\r\n"
    "Content-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n"
    "Content-Type: audio/wav\r\n\r\n"
    "RIFF\0\r\n--B\r\n--\r\nname=\"model\" x--B0\r\n"
    "--B0\r\n"
    "content-disposition: form-data; name=\"model\"\r\n\r\n"
    "whisper-1\r\n"
    "--B0\r\n"
    "Content-Disposition: form-data; name=temperature\r\n\r\n"
    "\r\n"
    "--B0--\r\n"sv;

TEST(MultipartField, IsFound) {
  const auto model = find_multipart_field(kUpload, "B0", "model");
  ASSERT_TRUE(model.has_value() && model->has_value());
  EXPECT_EQ(kUpload.substr((*model)->offset, (*model)->length), "whisper-1");
  const auto empty = find_multipart_field(kUpload, "B0", "temperature");
  ASSERT_TRUE(empty.has_value() && empty->has_value());
  EXPECT_EQ((*empty)->length, 0u);
  const auto none = find_multipart_field(kUpload, "B0", "prompt");
  ASSERT_TRUE(none.has_value());
  EXPECT_FALSE(none->has_value());
  EXPECT_FALSE(find_multipart_field("--B--", "B", "model").value().has_value());
}

TEST(MultipartField, EveryCutBodyIsRefused) {
  for (size_t length = 0; length + 2 < kUpload.size(); ++length) {
    const std::string cut(kUpload.substr(0, length));
    EXPECT_FALSE(find_multipart_field(cut, "B0", "model").has_value()) << length;
  }
}

#define DISPOSITION "Content-Disposition: form-data; name=\"model\""

TEST(MultipartField, RefusesWhatParsersReadDifferently) {
  struct Row {
    std::string_view what;
    std::string_view body;
  };
  constexpr Row kRows[] = {
      {"empty", ""},
      {"preamble", "hello\r\n--B\r\n" DISPOSITION "\r\n\r\nx\r\n--B--\r\n"},
      {"empty line first", "\r\n--B\r\n" DISPOSITION "\r\n\r\nx\r\n--B--\r\n"},
      {"epilogue", "--B\r\n" DISPOSITION "\r\n\r\nx\r\n--B--\r\nmore"},
      {"twice", "--B\r\n" DISPOSITION "\r\n\r\nx\r\n--B\r\n" DISPOSITION "\r\n\r\nx\r\n--B--\r\n"},
      {"as a file", "--B\r\n" DISPOSITION "; filename=\"f\"\r\n\r\nx\r\n--B--\r\n"},
      {"as an extended file", "--B\r\n" DISPOSITION "; filename*=UTF-8''f\r\n\r\nx\r\n--B--\r\n"},
      {"named twice", "--B\r\n" DISPOSITION "; name=\"other\"\r\n\r\nx\r\n--B--\r\n"},
      {"extended name", "--B\r\nContent-Disposition: form-data; name=\"a\"; name*=UTF-8''model\r\n\r\nx\r\n--B--\r\n"},
      {"escaped name", "--B\r\nContent-Disposition: form-data; name=\"mo\\del\"\r\n\r\nx\r\n--B--\r\n"},
      {"no name", "--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--\r\n"},
      {"open quote", "--B\r\nContent-Disposition: form-data; name=\"model\r\n\r\nx\r\n--B--\r\n"},
      {"space around =", "--B\r\nContent-Disposition: form-data; name = model\r\n\r\nx\r\n--B--\r\n"},
      {"no disposition", "--B\r\nContent-Type: text/plain\r\n\r\nx\r\n--B--\r\n"},
      {"no head", "--B\r\n\r\nx\r\n--B--\r\n"},
      {"two dispositions", "--B\r\n" DISPOSITION "\r\n" DISPOSITION "\r\n\r\nx\r\n--B--\r\n"},
      {"attachment", "--B\r\nContent-Disposition: attachment; name=\"model\"\r\n\r\nx\r\n--B--\r\n"},
      {"base64", "--B\r\n" DISPOSITION "\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n--B--\r\n"},
      {"folded head", "--B\r\nContent-Disposition: form-data;\r\n name=\"model\"\r\n\r\nx\r\n--B--\r\n"},
      {"bare LF", "--B\n" DISPOSITION "\n\nx\n--B--\n"},
      {"bare LF in a head", "--B\r\n" DISPOSITION "\n\r\nx\r\n--B--\r\n"},
      {"padding behind the boundary", "--B \r\n" DISPOSITION "\r\n\r\nx\r\n--B--\r\n"},
      {"boundary goes on", "--B\r\n" DISPOSITION "\r\n\r\nx\r\n--Bx\r\ny\r\n--B--\r\n"},
      {"one hyphen at the end", "--B\r\n" DISPOSITION "\r\n\r\nx\r\n--B-\r\n"},
      {"boundary right behind a head",
       "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n--B\r\n" DISPOSITION "\r\n\r\nx\r\n--B--\r\n"},
      {"boundary behind a bare LF",
       "--B\r\nContent-Disposition: form-data; name=a\r\n\r\ny\n--B\r\n" DISPOSITION "\r\n\r\nx\r\n--B--\r\n"},
      {"not closed", "--B\r\n" DISPOSITION "\r\n\r\nx\r\n--B\r\n"},
  };
  for (const Row& row : kRows) {
    const auto result = find_multipart_field(row.body, "B", "model");
    ASSERT_FALSE(result.has_value()) << row.what;
    EXPECT_EQ(result.error().code, ErrorCode::protocol) << row.what;
  }
}

base::Result<std::optional<FieldSpan>> find_behind(std::string_view disposition) {
  const std::string body = "--B\r\nContent-Disposition: form-data; " + std::string(disposition) +
                           "\r\n\r\nRIFF\r\n--B\r\n" DISPOSITION "\r\n\r\nx\r\n--B--\r\n";
  return find_multipart_field(body, "B", "model");
}

TEST(MultipartField, TakesFileNamesWithBackslashes) {
  for (const std::string_view disposition : {
           R"(name="file"; filename="a\\b.wav")",                       // httpx, urllib3
           R"(name="file"; filename="C:\x\b.wav")",                     // as it is: browsers
           R"(name="file"; filename="a\"b.wav")",                       // curl, Go
           R"(name="file"; filename="a\")",                             // ends with it, as it is
           R"(name="file"; filename="a\\")",                            // the same, doubled
           R"(name="file"; filename="a\\"; filename*=UTF-8''a%5C)",     // both notations
           R"(name="file"; filename="\"my name\" is Bob, surname=x")",  // the word alone
           R"(filename="a\b.wav"; name="file")",                        // all agree where it ends
       }) {
    const auto field = find_behind(disposition);
    EXPECT_TRUE(field && *field) << disposition;
  }
}

TEST(MultipartField, RefusesFileNamesThatCouldHideAnotherName) {
  for (const std::string_view disposition : {
           R"(name="file"; filename="a\"; name="model")",
           R"(name="file"; filename="a\"; Name = "model")",
           R"(name="file"; filename="a\\"; name=model; x=")",
           R"(name="file"; filename="a\"; name*=UTF-8''model")",
           R"(name="file"; filename="a\"; name*0=model")",
           R"(name="file"; filename="a\"b"; c="; name=model")",
           R"(filename="a\"; name=\"model"; name="file")",
           R"(filename="a\"b.wav"; name="file")",
           R"(filename="a\"b.wav")",
       }) {
    EXPECT_FALSE(find_behind(disposition)) << disposition;
  }
  // Nor is one that a reader may take for the field that is looked for.
  EXPECT_FALSE(find_behind(R"(name="model"; filename="a\\b.wav")"));
  EXPECT_FALSE(find_behind(R"(name="fi\le")"));
  EXPECT_FALSE(find_behind(R"(name="file"; x="a\b")"));
  EXPECT_STREQ(find_behind(R"(name="file"; filename="a\"; name="model")").error().context,
               "a part's filename could hide another name of its field");
}

TEST(MultipartField, RefusesBadBoundaries) {
  for (const std::string_view boundary : {""sv, "a b "sv, "a\"b"sv, "a\r\nb"sv, "a\0b"sv}) {
    EXPECT_FALSE(find_multipart_field("--x--", boundary, "model").has_value());
  }
  EXPECT_FALSE(find_multipart_field("", std::string(71, 'a'), "model").has_value());
  const std::string longest(70, 'a');
  EXPECT_TRUE(find_multipart_field("--" + longest + "--", longest, "model").has_value());
}

TEST(MultipartField, KeepsItsLimits) {
  std::string many;
  for (size_t i = 0; i <= kMultipartPartsMax; ++i) many += "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n";
  EXPECT_EQ(find_multipart_field(many + "--B--\r\n", "B", "model").error().code, ErrorCode::too_large);
  const std::string wide =
      "--B\r\nX: " + std::string(kMultipartPartHeadBytesMax, 'x') + "\r\n" DISPOSITION "\r\n\r\nx\r\n--B--\r\n";
  EXPECT_FALSE(find_multipart_field(wide, "B", "model").has_value());
}

TEST(ContentType, IsReadStrictly) {
  const auto json = parse_content_type("Application/JSON; charset=utf-8");
  ASSERT_TRUE(json.has_value());
  EXPECT_TRUE(json->is("application/json"));
  EXPECT_EQ(json->charset, "utf-8");
  EXPECT_EQ(json->boundary, "");
  const auto form = parse_content_type(" multipart/form-data;x=y ;\tBoundary=\"a b;c\" ");
  ASSERT_TRUE(form.has_value());
  EXPECT_TRUE(form->is("multipart/form-data"));
  EXPECT_EQ(form->boundary, "a b;c");
  EXPECT_TRUE(parse_content_type("text/event-stream;").has_value());
  for (const std::string_view bad :
       {"", "json", "/json", "application/", "application/json x", "a/b; c", "a/b; =c", "a/b; c=", "a/b; c=\"d",
        "a/b; boundary=c; boundary=d", "a/b; boundary=\"c\\\"d\"", "a/b; boundary=\"\"", "a/b, c/d", "a/b; c=\"d\"e"}) {
    EXPECT_FALSE(parse_content_type(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace llmgw::http

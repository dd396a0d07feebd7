#include "simulator/rest.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "simulator/media.h"

namespace llmgw::simulator {
namespace {

namespace bj = boost::json;

const RestOptions kOptions{.block_tokens = 16, .embedding_dimensions = 64, .created_unix_s = 1'700'000'000, .id = "x"};

double cosine(std::string_view a, std::string_view b) {
  const auto first = embed(a, 256), second = embed(b, 256);
  double sum = 0;
  for (size_t i = 0; i < first.size(); ++i) sum += double(first[i]) * double(second[i]);
  return sum;
}

TEST(Embed, TextsThatShareWordsAreNear) {
  EXPECT_NEAR(cosine("the cat sat", "the cat sat"), 1, 1e-5);
  EXPECT_GT(cosine("the cat sat on the mat", "a cat sat on a mat"), cosine("the cat sat", "stock prices fell"));
  EXPECT_NEAR(cosine("", ""), 1, 1e-5);
}

TEST(Rest, Embeddings) {
  const auto answer = answer_embeddings(R"({"model":"e","input":["abcd","efghi"],"dimensions":8})", kOptions);
  ASSERT_TRUE(answer);
  const bj::value body = bj::parse(answer->body);
  EXPECT_EQ(body.at("data").as_array().size(), 2u);
  EXPECT_EQ(body.at("data").at(1).at("embedding").as_array().size(), 8u);
  EXPECT_EQ(body.at("usage").at("prompt_tokens").to_number<int>(), 3);
  EXPECT_EQ(answer->model, "e");
  const auto packed = answer_embeddings(R"({"input":"abcd","encoding_format":"base64"})", kOptions);
  EXPECT_EQ(bj::parse(packed->body).at("data").at(0).at("embedding").as_string().size(), (64 * 4 + 2) / 3 * 4u);
  EXPECT_TRUE(answer_embeddings(R"({"input":[[1,2],[3]]})", kOptions));
  EXPECT_EQ(answer_embeddings(R"({"input":[]})", kOptions).error().param, "input");
  EXPECT_EQ(answer_embeddings(R"({"input":"a","dimensions":0})", kOptions).error().param, "dimensions");
  EXPECT_EQ(answer_embeddings(R"({"input":"a","encoding_format":"x"})", kOptions).error().status, 400);
}

TEST(Rest, GeminiEmbeddings) {
  const auto one =
      answer_embed_content(R"({"content":{"parts":[{"text":"abcd"}]},"outputDimensionality":4})", kOptions);
  ASSERT_TRUE(one);
  EXPECT_EQ(bj::parse(one->body).at("embedding").at("values").as_array().size(), 4u);
  const auto batch = answer_batch_embed_contents(
      R"({"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":{"text":"b"}}}]})", kOptions);
  ASSERT_TRUE(batch);
  EXPECT_EQ(bj::parse(batch->body).at("embeddings").as_array().size(), 2u);
  EXPECT_FALSE(answer_embed_content("{}", kOptions));
}

TEST(Rest, RerankPutsTheDocumentWithTheSameWordsFirst) {
  const auto answer = answer_rerank(R"({"model":"r","query":"red cats","documents":["blue dogs",
      {"text":"red cats"},"grey birds"],"top_n":2,"return_documents":true})",
                                    kOptions);
  ASSERT_TRUE(answer);
  const bj::value results = bj::parse(answer->body).at("results");
  EXPECT_EQ(results.as_array().size(), 2u);
  EXPECT_EQ(results.at(0).at("index").to_number<int>(), 1);
  EXPECT_EQ(results.at(0).at("document").at("text").as_string(), "red cats");
  EXPECT_GE(results.at(0).at("relevance_score").to_number<double>(),
            results.at(1).at("relevance_score").to_number<double>());
}

TEST(Rest, ModerationsFlagsByWord) {
  const auto answer = answer_moderations(R"({"input":["peace","graphic violence"]})", kOptions);
  const bj::value results = bj::parse(answer->body).at("results");
  EXPECT_FALSE(results.at(0).at("flagged").as_bool());
  EXPECT_TRUE(results.at(1).at("categories").at("violence/graphic").as_bool());
}

TEST(Rest, ImagesFromJsonAndFromAForm) {
  const auto json = answer_images(R"({"prompt":"a cat","n":2,"model":"i"})", "application/json", kOptions);
  ASSERT_TRUE(json) << json.error().message;
  EXPECT_EQ(bj::parse(json->body).at("data").as_array().size(), 2u);
  const std::string form =
      "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ni\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na cat\r\n--b--\r\n";
  const auto edit = answer_images(form, "multipart/form-data; boundary=b", kOptions);
  ASSERT_TRUE(edit) << edit.error().message;
  EXPECT_EQ(edit->model, "i");
  EXPECT_EQ(bj::parse(edit->body).at("data").at(0), bj::parse(json->body).at("data").at(0));
  EXPECT_EQ(answer_images(R"({"n":11})", "application/json", kOptions).error().param, "n");
  EXPECT_FALSE(answer_images("--b\r\nnonsense", "multipart/form-data; boundary=b", kOptions));
}

TEST(Rest, SpeechAndTranscription) {
  const auto speech = answer_speech(R"({"model":"t","input":"Hello","response_format":"wav"})", kOptions);
  ASSERT_TRUE(speech);
  EXPECT_EQ(speech->content_type, "audio/wav");
  EXPECT_TRUE(speech->body.starts_with("RIFF"));
  EXPECT_EQ(answer_speech(R"({"input":"Hello","response_format":"opus"})", kOptions).error().status, 400);
  const auto form = [](std::string_view format) {
    return "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nw\r\n"
           "--b\r\nContent-Disposition: form-data; name=\"response_format\"\r\n\r\n" +
           std::string(format) + "\r\n--b--\r\n";
  };
  for (const char* format : {"json", "verbose_json", "text", "srt", "vtt"}) {
    const auto answer = answer_transcription(form(format), "multipart/form-data; boundary=b", kOptions);
    ASSERT_TRUE(answer) << format;
    EXPECT_FALSE(answer->body.empty());
    if (std::string_view(format).ends_with("json")) {
      EXPECT_TRUE(bj::parse(answer->body).at("text").is_string());
    }
  }
  EXPECT_NE(answer_transcription(form("vtt"), "multipart/form-data; boundary=b", kOptions)
                ->body.find("00:00:00.000 --> 00:00:03.600"),
            std::string::npos);
}

TEST(Rest, ModelsInEachShape) {
  const std::vector<std::string> names{"a", "b"};
  const ModelList models{.names = names, .context_tokens = 100, .created_unix_s = 1'767'323'045};
  const bj::value openai = bj::parse(write_models(Api::openai, models));
  EXPECT_EQ(openai.at("data").at(0).at("owned_by").as_string(), "llm-gateway-simulator");
  const bj::value anthropic = bj::parse(write_models(Api::anthropic, models));
  EXPECT_EQ(anthropic.at("last_id").as_string(), "b");
  EXPECT_EQ(anthropic.at("data").at(0).at("created_at").as_string(), "2026-01-02T03:04:05Z");
  EXPECT_EQ(bj::parse(write_models(Api::gemini, models)).at("models").at(1).at("name").as_string(), "models/b");
  EXPECT_EQ(bj::parse(write_model(Api::openai, "a", models)).at("id").as_string(), "a");
}

TEST(Rest, TokenCountsInEachShape) {
  EXPECT_EQ(token_count(Operation::count_tokens, 7), R"({"input_tokens":7})");
  EXPECT_EQ(bj::parse(token_count(Operation::gemini_count_tokens, 7)).at("totalTokens").as_int64(), 7);
  EXPECT_EQ(bj::parse(token_count(Operation::response_input_tokens, 7)).at("object").as_string(),
            "response.input_tokens");
}

TEST(Media, Base64) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

TEST(Media, FilesAreWhatTheySay) {
  const std::string png = make_png(0x123456);
  EXPECT_TRUE(png.starts_with("\x89PNG\r\n\x1a\n"));
  // The end chunk and its well-known checksum.
  EXPECT_TRUE(png.ends_with(std::string("IEND\xAE\x42\x60\x82", 8)));
  const auto mp3 = make_sound("mp3", 1);
  EXPECT_EQ(mp3->bytes.size() % 417, 0u);
  const auto wav = make_sound("wav", 1);
  EXPECT_EQ(wav->bytes.size(), 44 + 48'000u);
  EXPECT_FALSE(make_sound("flac", 1));
}

}  // namespace
}  // namespace llmgw::simulator

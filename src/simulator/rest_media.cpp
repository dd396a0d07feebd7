// Images and sound.
#include <boost/json.hpp>
#include <cmath>

#include "base/text.h"
#include "http/mime_multipart.h"
#include "json/writer.h"
#include "simulator/media.h"
#include "simulator/rest.h"
#include "simulator/rest_internal.h"

namespace llmgw::simulator {

namespace bj = boost::json;

namespace {

constexpr double kSecondsAToken = 0.3;  // about how fast a token is spoken
constexpr size_t kImagesMax = 10;
constexpr size_t kTranscriptTokens = 12;

// The fields of a form, whichever way the body carries them.
class Fields {
 public:
  static Answered<Fields> read(std::string_view body, std::string_view content_type) {
    Fields fields;
    fields.body_ = body;
    const auto type = http::parse_content_type(content_type);
    if (type && type->is("multipart/form-data")) {
      fields.boundary_ = type->boundary;
      if (!http::find_multipart_field(body, fields.boundary_, "model")) {
        return refuse(400, "The body of the request is not valid multipart/form-data.");
      }
      return fields;
    }
    TRY(tree, parse_body(body));
    fields.root_ = std::move(tree.get_object());
    return fields;
  }

  std::string text(std::string_view name) const {
    if (boundary_.empty()) {
      const bj::value* found = member(root_, name);
      if (found == nullptr) return {};
      return found->is_string() ? std::string(member_text(root_, name)) : to_text(*found);
    }
    const auto found = http::find_multipart_field(body_, boundary_, name);
    return found && *found ? std::string(body_.substr((*found)->offset, (*found)->length)) : std::string();
  }

 private:
  std::string_view body_;
  std::string boundary_;
  bj::object root_;
};

// "00:00:01,000", with the mark SRT or WebVTT puts before the milliseconds.
std::string timestamp(double seconds, char mark) {
  const auto total = static_cast<uint64_t>(std::llround(seconds * 1000));
  const auto two = [](uint64_t value) { return std::string(value < 10 ? "0" : "") + std::to_string(value); };
  std::string millis = std::to_string(total % 1000);
  millis.insert(0, 3 - millis.size(), '0');
  return two(total / 3'600'000) + ':' + two(total / 60'000 % 60) + ':' + two(total / 1000 % 60) + mark + millis;
}

std::string verbose_transcript(std::string_view text, double seconds) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("task", "transcribe").member("language", "english").member("duration", seconds);
  w.member("text", text).key("segments").begin_array().begin_object();
  w.member("id", 0).member("seek", 0).member("start", 0.0).member("end", seconds).member("text", text);
  w.key("tokens").begin_array().end_array().member("temperature", 0.0).member("avg_logprob", -0.1);
  w.member("compression_ratio", 1.0).member("no_speech_prob", 0.0).end_object().end_array().end_object();
  return out;
}

}  // namespace

Answered<RestAnswer> answer_images(std::string_view body, std::string_view content_type, const RestOptions& options) {
  TRY(fields, Fields::read(body, content_type));
  const std::string prompt = fields.text("prompt");
  const std::string count = fields.text("n");
  const auto images = count.empty() ? std::optional<uint64_t>(1) : base::parse_decimal(count);
  if (!images || *images == 0 || *images > kImagesMax) {
    return refuse(400, "'n' must be a whole number from 1 to " + std::to_string(kImagesMax) + ".", "n");
  }
  RestAnswer answer;
  answer.prompt = PromptTokens(options.block_tokens);
  answer.prompt.text(prompt);
  answer.prompt.mark(hash_text(body));
  answer.model = fields.text("model");
  json::Writer w(answer.body);
  w.begin_object().member("created", options.created_unix_s).key("data").begin_array();
  for (uint64_t i = 0; i < *images; ++i) {
    w.begin_object().member("b64_json", base64(make_png(hash_text(prompt, i)))).end_object();
  }
  const size_t output = *images * kImageTokens;
  w.end_array().key("usage").begin_object().member("input_tokens", answer.prompt.count());
  w.member("output_tokens", output).member("total_tokens", answer.prompt.count() + output);
  w.key("input_tokens_details").begin_object().member("text_tokens", answer.prompt.count()).member("image_tokens", 0);
  w.end_object().end_object().end_object();
  return answer;
}

Answered<RestAnswer> answer_speech(std::string_view body, const RestOptions& options) {
  TRY(tree, parse_body(body));
  const bj::object& root = tree.get_object();
  const std::string_view input = member_text(root, "input");
  if (input.empty()) return refuse(400, "'input' is missing.", "input");
  const std::string_view asked = member_text(root, "response_format");
  auto sound = make_sound(asked.empty() ? "mp3" : asked, kSecondsAToken * double(count_tokens(input)));
  if (!sound) return refuse(400, "The simulator makes mp3, wav and pcm only.", "response_format");
  RestAnswer answer;
  answer.prompt = PromptTokens(options.block_tokens);
  answer.prompt.text(input);
  answer.model = member_text(root, "model");
  answer.content_type = sound->content_type;
  answer.body = std::move(sound->bytes);
  return answer;
}

Answered<RestAnswer> answer_transcription(std::string_view body, std::string_view content_type,
                                          const RestOptions& options) {
  TRY(fields, Fields::read(body, content_type));
  const std::string format = fields.text("response_format");
  const double seconds = kSecondsAToken * double(kTranscriptTokens);
  const std::string text = make_text(kTranscriptTokens, hash_text(body), Vocabulary::words, true);
  RestAnswer answer;
  answer.prompt = PromptTokens(options.block_tokens);
  answer.prompt.mark(hash_text(body), kAudioTokens);
  answer.model = fields.text("model");
  if (format.empty() || format == "json") {
    json::Writer w(answer.body);
    w.begin_object().member("text", text).key("usage").begin_object().member("type", "tokens");
    w.member("input_tokens", kAudioTokens).member("output_tokens", kTranscriptTokens);
    w.member("total_tokens", kAudioTokens + kTranscriptTokens).end_object().end_object();
  } else if (format == "verbose_json") {
    answer.body = verbose_transcript(text, seconds);
  } else if (format == "text") {
    answer.content_type = "text/plain; charset=utf-8";
    answer.body = text + '\n';
  } else if (format == "srt") {
    answer.content_type = "application/x-subrip";
    answer.body = "1\n" + timestamp(0, ',') + " --> " + timestamp(seconds, ',') + '\n' + text + "\n\n";
  } else if (format == "vtt") {
    answer.content_type = "text/vtt";
    answer.body = "WEBVTT\n\n" + timestamp(0, '.') + " --> " + timestamp(seconds, '.') + '\n' + text + "\n\n";
  } else {
    return refuse(400, "'response_format' must be json, verbose_json, text, srt or vtt.", "response_format");
  }
  return answer;
}

}  // namespace llmgw::simulator

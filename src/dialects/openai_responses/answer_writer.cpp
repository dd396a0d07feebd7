#include "chat/stream.h"
#include "dialects/openai_responses/functions.h"
#include "dialects/openai_responses/output_writer.h"

namespace llmgw::dialects::openai_responses {
namespace {

class DocumentSink final : public chat::EventSink {
 public:
  explicit DocumentSink(OutputWriter& writer) : writer_(writer) {}
  void event(const chat::StreamEvent& event) override { writer_.event(event); }

 private:
  OutputWriter& writer_;
};

class Writer final : public StreamWriter {
 public:
  explicit Writer(const AnswerContext& context) : context_(context), output_(context_, nullptr) {}

  void write(const chat::StreamEvent& event, chat::WireSink& sink) override {
    output_.set_sink(&sink);
    output_.event(event);
  }

 private:
  const AnswerContext context_;
  OutputWriter output_;
};

}  // namespace

void write_answer(const chat::Answer& answer, const AnswerContext& context, std::string& out) {
  OutputWriter output(context, nullptr);
  DocumentSink sink(output);
  chat::explode(answer, sink);
  output.write_document(out);
}

std::unique_ptr<StreamWriter> make_stream_writer(const AnswerContext& context) {
  return std::make_unique<Writer>(context);
}

}  // namespace llmgw::dialects::openai_responses

#include "simulator/vllm_metrics.h"

#include <charconv>

namespace llmgw::simulator {

namespace {

class Exposition {
 public:
  Exposition(std::string_view model_name, std::string& out) : out_(out) {
    labels_ = "engine=\"0\",model_name=\"";
    for (const char c : model_name) {
      if (c == '\\' || c == '"') labels_ += '\\';
      labels_ += c == '\n' ? ' ' : c;
    }
    labels_ += '"';
  }

  void family(std::string_view name, std::string_view type, std::string_view help) {
    out_ += "# HELP vllm:";
    out_ += name;
    out_ += ' ';
    out_ += help;
    out_ += "\n# TYPE vllm:";
    out_ += name;
    out_ += ' ';
    out_ += type;
    out_ += '\n';
  }

  void sample(std::string_view name, double value, std::string_view more_labels = {}) {
    out_ += "vllm:";
    out_ += name;
    out_ += '{';
    out_ += labels_;
    if (!more_labels.empty()) out_ += ',';
    out_ += more_labels;
    out_ += "} ";
    number(value);
    out_ += '\n';
  }

  void gauge(std::string_view name, std::string_view help, double value) {
    family(name, "gauge", help);
    sample(name, value);
  }

  void counter(std::string_view name, std::string_view help, uint64_t value) {
    family(name, "counter", help);
    sample(name, double(value));
  }

  void histogram(std::string_view name, std::string_view help, const Histogram& histogram) {
    family(name, "histogram", help);
    const std::string base(name);
    uint64_t below = 0;
    for (size_t i = 0; i < histogram.bounds().size(); ++i) {
      below += histogram.in_bucket(i);
      std::string bound = "le=\"";
      append_number(bound, histogram.bounds()[i]);
      sample(base + "_bucket", double(below), bound + '"');
    }
    sample(base + "_bucket", double(histogram.count()), "le=\"+Inf\"");
    sample(base + "_sum", histogram.sum());
    sample(base + "_count", double(histogram.count()));
  }

 private:
  static void append_number(std::string& out, double value) {
    char buffer[32];  // the longest double takes 24 characters
    const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
    const std::string_view text(buffer, result.ptr);
    out += text;
    if (text.find_first_of(".en") == std::string_view::npos) out += ".0";
  }
  void number(double value) { append_number(out_, value); }

  std::string& out_;
  std::string labels_;
};

}  // namespace

void write_vllm_metrics(const EngineStats& stats, const EngineOptions& options, std::string_view model_name,
                        std::string& out) {
  Exposition page(model_name, out);
  page.gauge("num_requests_running", "Number of requests in model execution batches.", double(stats.running));
  page.gauge("num_requests_waiting", "Number of requests waiting to be processed.", double(stats.waiting));
  page.gauge("kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", stats.kv_usage);
  page.gauge("gpu_cache_usage_perc", "KV-cache usage under its older name.", stats.kv_usage);
  page.counter("prefix_cache_queries_total", "Prefix cache queries, in queried tokens.", stats.prefix_queries);
  page.counter("prefix_cache_hits_total", "Prefix cache hits, in cached tokens.", stats.prefix_hits);
  page.counter("gpu_prefix_cache_queries_total", "Prefix cache queries under their older name.", stats.prefix_queries);
  page.counter("gpu_prefix_cache_hits_total", "Prefix cache hits under their older name.", stats.prefix_hits);
  page.counter("num_preemptions_total", "Cumulative number of preemptions.", stats.preemptions);
  page.counter("prompt_tokens_total", "Number of prefill tokens processed.", stats.prompt_tokens);
  page.counter("generation_tokens_total", "Number of generation tokens processed.", stats.generation_tokens);
  page.family("request_success_total", "counter", "Count of finished requests.");
  page.sample("request_success_total", double(stats.finished_stop), "finished_reason=\"stop\"");
  page.sample("request_success_total", double(stats.finished_length), "finished_reason=\"length\"");
  page.sample("request_success_total", double(stats.finished_abort), "finished_reason=\"abort\"");
  page.histogram("time_to_first_token_seconds", "Time to first token in seconds.", stats.time_to_first_token);
  page.histogram("time_per_output_token_seconds", "Time per output token in seconds.", stats.time_per_output_token);
  page.histogram("inter_token_latency_seconds", "Time between two tokens in seconds.", stats.time_per_output_token);
  page.histogram("e2e_request_latency_seconds", "End-to-end request latency in seconds.", stats.end_to_end);
  page.histogram("request_queue_time_seconds", "Time spent waiting for a place in the batch.", stats.queue_time);
  page.histogram("request_prompt_tokens", "Number of prefill tokens of a request.", stats.request_prompt_tokens);
  page.histogram("request_generation_tokens", "Number of generated tokens of a request.",
                 stats.request_generation_tokens);
  page.family("cache_config_info", "gauge", "Information of the simulated cache.");
  page.sample("cache_config_info", 1,
              "block_size=\"" + std::to_string(options.block_tokens) + "\",enable_prefix_caching=\"" +
                  (options.prefix_cache ? "True" : "False") + "\",num_gpu_blocks=\"" +
                  std::to_string(options.kv_blocks) + "\"");
}

}  // namespace llmgw::simulator

// Where log lines go: standard output, standard error or a file that logrotate may move away. Never blocks for long:
// what a reader does not take within kStallLimit stays with the caller. One thread: the writer's.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/time.h"

namespace llmgw::telemetry {

struct LogDestination {
  enum class Kind : uint8_t { none, standard_output, standard_error, file };
  Kind kind = Kind::standard_error;
  std::string path;  // of a file
  bool operator==(const LogDestination&) const = default;
};
// "off", "stdout", "stderr", else a path.
LogDestination parse_log_destination(std::string_view text);

class LogFile {
 public:
  static constexpr base::Duration kStallLimit = std::chrono::milliseconds(100);
  static constexpr size_t kPipeWriteBytes = 4096;  // what poll() promises a pipe takes at once (pipe(7): PIPE_BUF)

  // `error_number` is 0 unless the write failed for good; bytes beyond `written` are then for the caller to give up.
  struct Outcome {
    size_t written = 0;
    int error_number = 0;
  };

  explicit LogFile(LogDestination destination) : destination_(std::move(destination)) {}
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  ~LogFile();

  // Files are made with mode 0640: lines name clients and keys.
  base::Result<void> open();
  // Opens the path again; on failure the old file stays in use.
  base::Result<void> reopen();
  Outcome write(std::array<std::string_view, 2> parts);
  const LogDestination& destination() const { return destination_; }

 private:
  void adopt(int descriptor);
  int wait_writable() const;  // 0 ready, ETIMEDOUT, or an error

  LogDestination destination_;
  int descriptor_ = -1;
  bool is_regular_ = false;
  bool is_socket_ = false;
};

}  // namespace llmgw::telemetry

// One HTTP/2 connection (RFC 9113), by nghttp2: what its server side and its client side share. Internal to http.
// It owns the stream; one coroutine (run) reads and feeds nghttp2, whose events go to the H2Stream objects; output of
// all streams is gathered into one write. What the socket does not take is kept and written by a second coroutine;
// until it is through, nothing more is taken from anybody, so the output is bounded. One thread.
//
// Events are called from inside nghttp2: they may submit, and wake coroutines, but must not run any and must not flush.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/intrusive_list.h"
#include "http/h2_guard.h"
#include "http/h2_outgoing.h"
#include "http/message.h"
#include "net/io.h"
#include "net/stream.h"
#include "net/task.h"

struct nghttp2_session;

namespace llmgw::http {

class H2Callbacks;

// RFC 9113, section 7.
enum class H2Error : uint32_t {
  no_error = 0,
  protocol_error = 1,
  internal_error = 2,
  flow_control_error = 3,
  settings_timeout = 4,
  stream_closed = 5,
  frame_size_error = 6,
  refused_stream = 7,
  cancel = 8,
  compression_error = 9,
  enhance_your_calm = 11,
};

// A field to send. nghttp2 writes its name in lower case.
struct H2Field {
  std::string_view name;
  std::string_view value;
  bool secret = false;  // never enters the compression table of either side (RFC 7541, section 7.1.3)
};
bool is_secret(HeaderId id);
// Headers that HTTP/2 has no use for (RFC 9113, section 8.2.2).
bool is_forbidden_in_h2(HeaderId id);

// One stream, while nghttp2 knows it or its user does. The owner detaches it from the session before it dies.
class H2Stream : public base::ListNode {
 public:
  virtual ~H2Stream() = default;

  int32_t id() const { return id_; }
  bool open() const { return open_; }  // nghttp2 knows it and will send events
  // Where in the session's output its last byte ends, once END_STREAM has been gathered.
  uint64_t end_position() const { return end_position_; }

 protected:
  H2Outgoing outgoing_;

 private:
  friend class H2Session;
  friend class H2Callbacks;
  // A header block begins: the head, another head behind an interim one, or the trailers.
  virtual void on_head_begin() = 0;
  // False: read no further, the stream is to be reset.
  virtual bool on_field(std::string_view name, std::string_view value) = 0;
  virtual void on_invalid_field() = 0;
  virtual void on_head_end(bool end_stream) = 0;
  virtual void on_data(std::string_view data) = 0;
  virtual void on_end() = 0;        // END_STREAM behind data or trailers
  virtual void on_malformed() = 0;  // the peer broke the rules; the stream is about to be reset
  // The last event: open() is false. It may destroy the stream.
  virtual void on_closed(H2Error error) = 0;
  virtual void on_sent() = 0;  // outgoing_ is done()

  int32_t id_ = 0;
  uint64_t end_position_ = UINT64_MAX;
  bool open_ = false;
};

struct H2Settings {
  uint32_t streams_max = 0;        // that the peer may open
  int32_t stream_window = 0;       // bytes of body a stream may send us unread
  int32_t connection_window = 0;   // and all of them together
  uint32_t header_list_bytes = 0;  // what the peer is told; advisory
};

struct H2Timeouts {
  base::Duration settings;  // from the connection to the first SETTINGS, and to the answer to our own
  base::Duration header;    // from the first frame of a head to its last
  base::Duration idle;      // without a stream; kForever: none
  base::Duration write;     // without the peer taking anything
  base::Duration ping;      // silence with streams open after which the peer is asked for a sign of life
  base::Duration ping_ack;  // how long it may take
  static constexpr base::Duration kForever = base::Duration::max();
};

class H2Session {
 public:
  // PING, SETTINGS and RST_STREAM answers that may be queued; a peer that does not read them is not read from.
  static constexpr size_t kControlFramesMax = 1000;
  // Gathered into one write; enough to fill the pipe, little enough to keep in memory for a connection.
  static constexpr size_t kBatchBytes = 128 * 1024;

  enum class Side : uint8_t { server, client };
  H2Session(std::unique_ptr<net::Stream> stream, Side side, const H2Settings& settings);
  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;
  virtual ~H2Session();

  net::Loop& loop() const { return stream_->loop(); }
  net::Stream& stream() const { return *stream_; }

  // Writes what there is to write, unless the socket is full. Cheap when there is nothing.
  void flush();
  // While corked, flush() only gathers; uncork() writes it in one piece.
  void cork() { corked_ = true; }
  void uncork();
  // Output waits for the socket. `unblocked` is notified when it does not any more, and when the session ends.
  bool blocked() const { return blocked_; }
  net::Signal& unblocked() { return unblocked_; }
  // How much of its output the socket has taken since the session began.
  uint64_t taken_bytes() const { return taken_bytes_; }
  // Nothing more can be written, and what waited for the socket is gone.
  bool write_broken() const { return write_broken_; }

  // Head of a response, or an interim one. `body`: DATA follows from the stream's outgoing_.
  base::Result<void> submit_response(H2Stream& stream, std::span<const H2Field> fields, bool body);
  base::Result<void> submit_interim(H2Stream& stream, std::span<const H2Field> fields);
  // Opens a stream.
  base::Result<void> submit_request(H2Stream& stream, std::span<const H2Field> fields, bool body);
  // outgoing_ has something again.
  void resume(H2Stream& stream);
  void reset(H2Stream& stream, H2Error error);
  // No more events for it.
  void detach(H2Stream& stream);
  // Body bytes have been used: the peer may send as many more.
  void give_back_stream(int32_t stream_id, size_t bytes);
  void give_back_connection(size_t bytes);
  // Tells the peer to open no more streams; those on their way are still taken.
  void announce_goaway();
  // Takes no new streams from here on; those there are end as they do.
  void submit_goaway();
  // GOAWAY, and the end.
  void terminate(H2Error error);
  bool may_request() const;  // no GOAWAY has come and there are stream numbers left
  uint32_t peer_streams_max() const;
  size_t queued_frames() const;
  bool broken() const { return broken_; }
  // The peer has shown that it speaks HTTP/2.
  bool settings_received() const { return settings_received_; }
  bool flooded() const { return flooded_; }
  // Nothing more will be read or written: both sides have said good-bye.
  bool finished() const;

 protected:
  // Reads until the connection has ended, is broken, or stop_reading() was called, and returns why. `early` was read
  // before.
  net::Task<base::Error> run(std::string early);
  void stop_reading(base::ErrorCode reason = base::ErrorCode::closed) { stop_.cancel(reason); }
  // Writes what is left, then ends our direction; for at most the write timeout. False after a failure.
  net::Task<bool> end_writing();
  // Throws away what comes, until the peer has closed.
  net::Task<void> linger(net::Wait wait);
  // Frees what an idle session does not need.
  void release_memory();
  void became_idle() { idle_since_ = loop().now(); }

 private:
  friend class H2Callbacks;
  // The peer opens a stream; null refuses it. Server side.
  virtual H2Stream* on_stream_begin(int32_t id) = 0;
  // Bytes have been processed: time to run what the events made ready. Output is corked.
  virtual void on_received() = 0;
  // The peer takes no new streams.
  virtual void on_goaway() {}
  virtual size_t streams() const = 0;  // in use
  virtual H2Timeouts timeouts() const = 0;

  struct Segment {
    const char* external;  // null: the next `bytes` of gathered_
    size_t bytes;
  };

  void receive(std::string_view bytes);
  void fail(const base::Error& error);
  void count(H2Guard::Event event);
  void condemn();
  base::Instant next_deadline() const;
  // Something that was due has not come. True if the session goes on.
  bool check_deadlines();
  bool overdue(base::Instant since, base::Duration limit) const;

  void gather();
  void gather_inline(std::string_view bytes);
  void gather_view(std::string_view bytes);
  void write_gathered();
  void keep_rest(size_t written);
  net::Task<void> drain_output();
  void write_failed(const base::Error& error);

  std::unique_ptr<net::Stream> stream_;
  nghttp2_session* session_ = nullptr;
  net::Cancellation stop_;
  base::Error error_{base::ErrorCode::closed, "HTTP/2 connection", 0};
  H2Guard guard_;
  H2FrameWatch watch_;

  std::string gathered_;  // frame headers, control frames and small pieces of data
  std::vector<Segment> segments_;
  size_t batch_bytes_ = 0;
  std::string out_;              // what the socket did not take
  uint64_t gathered_bytes_ = 0;  // since the session began
  uint64_t taken_bytes_ = 0;     // of them, by the socket
  net::Signal unblocked_;
  bool corked_ = false;
  bool blocked_ = false;
  bool write_broken_ = false;
  bool broken_ = false;
  bool condemned_ = false;  // the guard has spoken
  bool flooded_ = false;    // and why

  base::Instant started_at_;
  base::Instant last_received_;
  base::Instant idle_since_;
  base::Instant head_begun_at_ = base::kNever;
  base::Instant ping_sent_at_ = base::kNever;
  base::Instant write_broken_at_ = base::kNever;
  bool settings_acked_ = false;
  bool settings_received_ = false;

  net::Task<void> writer_;
};

}  // namespace llmgw::http

#include "http/h2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "http/server.h"

namespace llmgw::http {

using base::Error;
using base::ErrorCode;
using base::Result;
using net::Task;

namespace {

// Frames of one header block: with 16 KiB each more than any limit on heads lets through (CVE-2024-28182).
constexpr size_t kContinuationsMax = 8;
// What we assume before the peer's SETTINGS have come; what nearly all servers allow.
constexpr uint32_t kPeerStreamsAssumed = 100;
constexpr size_t kFrameHeaderBytes = 9;

void put_name(nghttp2_nv& out, std::string_view name, std::string_view value, uint8_t flags) {
  out.name = reinterpret_cast<uint8_t*>(const_cast<char*>(name.data()));
  out.namelen = name.size();
  out.value = reinterpret_cast<uint8_t*>(const_cast<char*>(value.data()));
  out.valuelen = value.size();
  out.flags = flags;
}

// Fields in nghttp2's form; it copies them.
class FieldArray {
 public:
  static constexpr size_t kMax = Headers::kMax + 8;  // pseudo headers and content-length come on top

  explicit FieldArray(std::span<const H2Field> fields) {
    if (fields.size() > kMax) {
      fits_ = false;
      return;
    }
    for (const H2Field& field : fields) {
      put_name(fields_[count_++], field.name, field.value,
               field.secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE);
    }
  }
  bool fits() const { return fits_; }
  const nghttp2_nv* data() const { return fields_.data(); }
  size_t size() const { return count_; }

 private:
  std::array<nghttp2_nv, kMax> fields_;
  size_t count_ = 0;
  bool fits_ = true;
};

std::string_view text_of(const uint8_t* bytes, size_t count) {
  return {reinterpret_cast<const char*>(bytes), count};
}

bool ends_stream(const nghttp2_frame* frame) {
  return (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

bool is_ack(const nghttp2_frame* frame) {
  return (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
}

}  // namespace

bool is_secret(HeaderId id) {
  switch (id) {
    case HeaderId::authorization:
    case HeaderId::proxy_authorization:
    case HeaderId::x_api_key:
    case HeaderId::api_key:
    case HeaderId::x_goog_api_key:
    case HeaderId::cookie:
    case HeaderId::set_cookie: return true;
    default: return false;
  }
}

bool is_forbidden_in_h2(HeaderId id) {
  switch (id) {
    case HeaderId::connection:
    case HeaderId::keep_alive:
    case HeaderId::proxy_connection:
    case HeaderId::transfer_encoding:
    case HeaderId::upgrade:
    case HeaderId::http2_settings:
    case HeaderId::te: return true;
    default: return false;
  }
}

// What nghttp2 calls.
class H2Callbacks {
 public:
  static const nghttp2_session_callbacks* table();
  static nghttp2_data_provider provider() {
    nghttp2_data_provider provider{};
    provider.read_callback = &on_read_data;
    return provider;
  }

 private:
  static H2Session& session_of(void* user_data) { return *static_cast<H2Session*>(user_data); }
  static H2Stream* stream_of(nghttp2_session* session, int32_t id) {
    return static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd*, void* user_data) {
    session_of(user_data).head_begun_at_ = base::kNever;
    return 0;
  }

  static int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
    H2Session& self = session_of(user_data);
    const int32_t id = frame->hd.stream_id;
    self.head_begun_at_ = self.loop().now();
    H2Stream* stream = stream_of(session, id);
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      stream = self.on_stream_begin(id);
      if (stream == nullptr) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      }
      stream->id_ = id;
      stream->open_ = true;
      nghttp2_session_set_stream_user_data(session, id, stream);
    }
    if (stream != nullptr) stream->on_head_begin();
    return 0;
  }

  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name, size_t name_bytes,
                       const uint8_t* value, size_t value_bytes, uint8_t, void*) {
    H2Stream* stream = stream_of(session, frame->hd.stream_id);
    if (stream == nullptr || stream->on_field(text_of(name, name_bytes), text_of(value, value_bytes))) return 0;
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_ENHANCE_YOUR_CALM);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int on_invalid_header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t*, size_t,
                               const uint8_t*, size_t, uint8_t, void*) {
    if (H2Stream* stream = stream_of(session, frame->hd.stream_id)) stream->on_invalid_field();
    return 0;
  }

  static int on_frame_recv(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
    H2Session& self = session_of(user_data);
    H2Stream* stream = frame->hd.stream_id > 0 ? stream_of(session, frame->hd.stream_id) : nullptr;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        self.head_begun_at_ = base::kNever;
        if (stream != nullptr) stream->on_head_end(ends_stream(frame));
        break;
      case NGHTTP2_DATA:
        if (ends_stream(frame)) {
          if (stream != nullptr) stream->on_end();
        } else if (frame->hd.length > 0 && frame->hd.length <= frame->data.padlen) {
          self.count(H2Guard::Event::idle_frame);  // nothing but padding
        }
        break;
      case NGHTTP2_SETTINGS:
        if (is_ack(frame)) {
          self.settings_acked_ = true;
        } else {
          self.settings_received_ = true;
        }
        break;
      case NGHTTP2_PING:
        if (is_ack(frame)) self.ping_sent_at_ = base::kNever;
        break;
      case NGHTTP2_GOAWAY:
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR) self.error_ = {ErrorCode::reset, "HTTP/2 GOAWAY", 0};
        self.on_goaway();
        break;
      default: break;
    }
    return 0;
  }

  static int on_invalid_frame(nghttp2_session* session, const nghttp2_frame* frame, int, void* user_data) {
    session_of(user_data).head_begun_at_ = base::kNever;
    if (frame->hd.stream_id > 0) {
      if (H2Stream* stream = stream_of(session, frame->hd.stream_id)) stream->on_malformed();
    }
    return 0;
  }

  static int on_data_chunk(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t bytes, void*) {
    if (H2Stream* stream = stream_of(session, id)) {
      stream->on_data(text_of(data, bytes));
    } else {
      nghttp2_session_consume_connection(session, bytes);
    }
    return 0;
  }

  static int on_stream_close(nghttp2_session* session, int32_t id, uint32_t error, void*) {
    H2Stream* stream = stream_of(session, id);
    if (stream == nullptr) return 0;
    stream->open_ = false;
    stream->on_closed(static_cast<H2Error>(error));
    return 0;
  }

  // A reset that was the peer's doing counts as one of its own.
  static int on_frame_send(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
    H2Session& self = session_of(user_data);
    const bool carries_end = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (carries_end && ends_stream(frame)) {
      if (H2Stream* stream = stream_of(session, frame->hd.stream_id)) stream->end_position_ = self.gathered_bytes_;
    }
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
      self.error_ = {ErrorCode::protocol, "HTTP/2 peer broke the protocol", 0};
    }
    if (frame->hd.type != NGHTTP2_RST_STREAM) return 0;
    switch (frame->rst_stream.error_code) {
      case NGHTTP2_PROTOCOL_ERROR:
      case NGHTTP2_FLOW_CONTROL_ERROR:
      case NGHTTP2_STREAM_CLOSED:
      case NGHTTP2_FRAME_SIZE_ERROR:
        if (H2Stream* stream = stream_of(session, frame->hd.stream_id)) stream->on_malformed();
        [[fallthrough]];
      case NGHTTP2_REFUSED_STREAM:
      case NGHTTP2_ENHANCE_YOUR_CALM: self.count(H2Guard::Event::reset); break;
      default: break;
    }
    return 0;
  }

  // A request that nghttp2 could not send because the connection was given up meanwhile.
  static int on_frame_not_send(nghttp2_session* session, const nghttp2_frame* frame, int, void*) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    H2Stream* stream = stream_of(session, frame->hd.stream_id);
    if (stream == nullptr) return 0;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, nullptr);
    stream->open_ = false;
    stream->on_closed(H2Error::refused_stream);
    return 0;
  }

  static ssize_t on_read_data(nghttp2_session* session, int32_t id, uint8_t*, size_t room, uint32_t* flags,
                              nghttp2_data_source*, void*) {
    H2Stream* stream = stream_of(session, id);
    if (stream == nullptr) return NGHTTP2_ERR_DEFERRED;
    H2Outgoing& outgoing = stream->outgoing_;
    const size_t bytes = std::min(room, outgoing.left());
    const bool last = outgoing.end() && bytes == outgoing.left();
    if (bytes == 0 && !last) return NGHTTP2_ERR_DEFERRED;
    if (bytes > 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (last) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (bytes == 0) {
        outgoing.end_taken();
        stream->on_sent();
      }
    }
    return static_cast<ssize_t>(bytes);
  }

  static int on_send_data(nghttp2_session* session, nghttp2_frame* frame, const uint8_t* header, size_t bytes,
                          nghttp2_data_source*, void* user_data) {
    H2Session& self = session_of(user_data);
    H2Stream* stream = stream_of(session, frame->hd.stream_id);
    if (stream == nullptr || stream->outgoing_.left() < bytes) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    self.gather_inline(text_of(header, kFrameHeaderBytes));
    stream->outgoing_.take(bytes, [&self](std::string_view piece) { self.gather_view(piece); });
    if (ends_stream(frame)) stream->outgoing_.end_taken();
    if (stream->outgoing_.done()) stream->on_sent();
    return self.batch_bytes_ >= H2Session::kBatchBytes ? NGHTTP2_ERR_PAUSE : 0;
  }
};

const nghttp2_session_callbacks* H2Callbacks::table() {
  struct Table {
    nghttp2_session_callbacks* callbacks = nullptr;
    Table() {
      if (nghttp2_session_callbacks_new(&callbacks) != 0) std::abort();  // out of memory
      nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, &on_begin_frame);
      nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &on_begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(callbacks, &on_header);
      nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, &on_invalid_header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &on_frame_recv);
      nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, &on_invalid_frame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &on_data_chunk);
      nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &on_stream_close);
      nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, &on_frame_send);
      nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, &on_frame_not_send);
      nghttp2_session_callbacks_set_send_data_callback(callbacks, &on_send_data);
    }
    ~Table() { nghttp2_session_callbacks_del(callbacks); }
  };
  static const Table kTable;
  return kTable.callbacks;
}

H2Session::H2Session(std::unique_ptr<net::Stream> stream, Side side, const H2Settings& settings)
    : stream_(std::move(stream)),
      watch_(guard_, side == Side::server ? kH2Preface.size() : 0),
      unblocked_(stream_->loop()),
      started_at_(loop().now()),
      last_received_(started_at_),
      idle_since_(started_at_) {
  nghttp2_option* option = nullptr;
  if (nghttp2_option_new(&option) != 0) std::abort();  // out of memory
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_peer_max_concurrent_streams(option, kPeerStreamsAssumed);
  nghttp2_option_set_max_outbound_ack(option, kControlFramesMax);
  nghttp2_option_set_max_continuations(option, kContinuationsMax);
  nghttp2_option_set_stream_reset_rate_limit(option, H2Guard::kResetsBurst, H2Guard::kResetsPerSecond);
  const bool server = side == Side::server;
  const int made = server ? nghttp2_session_server_new2(&session_, H2Callbacks::table(), this, option)
                          : nghttp2_session_client_new2(&session_, H2Callbacks::table(), this, option);
  nghttp2_option_del(option);
  if (made != 0) std::abort();  // out of memory

  const std::array<nghttp2_settings_entry, 4> entries{{
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(settings.stream_window)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, settings.header_list_bytes},
      {server ? NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS : NGHTTP2_SETTINGS_ENABLE_PUSH,
       server ? settings.streams_max : 0},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries.data(), entries.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, settings.connection_window);
}

H2Session::~H2Session() {
  nghttp2_session_del(session_);
}

Task<Error> H2Session::run(std::string early) {
  receive(early);
  early = {};
  while (!broken_ && !condemned_ && !finished() && !stop_.cancelled()) {
    if (blocked_ && queued_frames() >= kControlFramesMax) {
      // At most for the write timeout, after which the writer has given up.
      (void)co_await unblocked_.wait({.cancellation = &stop_});
      continue;
    }
    auto bytes = co_await net::read_scratch(*stream_, {next_deadline(), &stop_});
    if (bytes && !bytes->empty()) {
      receive({bytes->data(), bytes->size()});
    } else if (bytes) {
      fail(error_);
    } else if (!stop_.cancelled()) {
      if (bytes.error().code != ErrorCode::deadline_exceeded) {
        fail(bytes.error());
      } else if (!check_deadlines()) {
        break;
      }
    }
  }
  co_return error_;
}

void H2Session::receive(std::string_view bytes) {
  cork();
  if (!bytes.empty()) {
    last_received_ = loop().now();
    if (!watch_.feed(bytes, last_received_)) condemn();
    const ssize_t used =
        nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    if (used < 0) {
      error_ = {ErrorCode::protocol, "HTTP/2 framing", 0};
      flooded_ |= used == NGHTTP2_ERR_FLOODED || used == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS;
      terminate(flooded_ ? H2Error::enhance_your_calm : H2Error::protocol_error);
      condemned_ = true;
    }
  }
  on_received();
  uncork();
}

void H2Session::fail(const Error& error) {
  if (broken_) return;
  broken_ = true;
  error_ = error;
  stop_.cancel(error.code);
  unblocked_.notify();
}

void H2Session::count(H2Guard::Event event) {
  if (!guard_.allow(event, loop().now())) condemn();
}

void H2Session::condemn() {
  if (condemned_) return;
  condemned_ = flooded_ = true;
  terminate(H2Error::enhance_your_calm);
  stop_.cancel(ErrorCode::protocol);
}

bool H2Session::finished() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

Result<void> H2Session::submit_response(H2Stream& stream, std::span<const H2Field> fields, bool body) {
  const FieldArray array(fields);
  if (!array.fits()) return base::fail(ErrorCode::invalid_argument, "too many headers");
  const nghttp2_data_provider provider = H2Callbacks::provider();
  const int submitted =
      nghttp2_submit_response(session_, stream.id(), array.data(), array.size(), body ? &provider : nullptr);
  if (submitted != 0) return base::fail(ErrorCode::internal, "HTTP/2 response");
  return {};
}

Result<void> H2Session::submit_interim(H2Stream& stream, std::span<const H2Field> fields) {
  const FieldArray array(fields);
  if (!array.fits()) return base::fail(ErrorCode::invalid_argument, "too many headers");
  const int submitted =
      nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id(), nullptr, array.data(), array.size(), nullptr);
  if (submitted != 0) return base::fail(ErrorCode::internal, "HTTP/2 interim response");
  return {};
}

Result<void> H2Session::submit_request(H2Stream& stream, std::span<const H2Field> fields, bool body) {
  const FieldArray array(fields);
  if (!array.fits()) return base::fail(ErrorCode::invalid_argument, "too many headers");
  const nghttp2_data_provider provider = H2Callbacks::provider();
  const int32_t id =
      nghttp2_submit_request(session_, nullptr, array.data(), array.size(), body ? &provider : nullptr, &stream);
  if (id < 0) return base::fail(ErrorCode::closed, "HTTP/2 connection takes no more requests");
  stream.id_ = id;
  stream.open_ = true;
  return {};
}

void H2Session::resume(H2Stream& stream) {
  nghttp2_session_resume_data(session_, stream.id());
}

void H2Session::reset(H2Stream& stream, H2Error error) {
  if (stream.open()) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id(), static_cast<uint32_t>(error));
  }
}

void H2Session::detach(H2Stream& stream) {
  if (stream.open()) nghttp2_session_set_stream_user_data(session_, stream.id(), nullptr);
  stream.open_ = false;
}

void H2Session::give_back_stream(int32_t stream_id, size_t bytes) {
  if (bytes > 0) nghttp2_session_consume_stream(session_, stream_id, bytes);
}

void H2Session::give_back_connection(size_t bytes) {
  if (bytes > 0) nghttp2_session_consume_connection(session_, bytes);
}

void H2Session::announce_goaway() {
  nghttp2_submit_shutdown_notice(session_);
}

void H2Session::submit_goaway() {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

void H2Session::terminate(H2Error error) {
  nghttp2_session_terminate_session(session_, static_cast<uint32_t>(error));
}

bool H2Session::may_request() const {
  return nghttp2_session_check_request_allowed(session_) != 0;
}

uint32_t H2Session::peer_streams_max() const {
  return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

size_t H2Session::queued_frames() const {
  return nghttp2_session_get_outbound_queue_size(session_);
}

}  // namespace llmgw::http

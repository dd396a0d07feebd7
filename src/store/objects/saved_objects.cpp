#include "store/objects/saved_objects.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.h"

namespace llmgw::store {
namespace {

// A line of what it is, fields as "<length>:<bytes>" (netstrings without their comma), and a SHA-256 of all before.
constexpr std::string_view kMagic = "llm-gateway objects 1\n";
constexpr size_t kDigestBytes = 64;  // in hex

std::string digest_of(std::string_view text) {
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return base::hex(digest);
}

void put(std::string& out, std::string_view field) {
  out.append(std::to_string(field.size())).append(":").append(field);
}
void put(std::string& out, int64_t number) {
  put(out, std::to_string(number));
}

class Fields {
 public:
  explicit Fields(std::string_view text) : left_(text) {}
  std::string_view next() {
    const size_t colon = left_.find(':');
    const auto length = base::parse_decimal(left_.substr(0, colon));
    if (colon == std::string_view::npos || !length || *length > left_.size() - colon - 1) {
      broken_ = true;
      left_ = {};
      return {};
    }
    const std::string_view field = left_.substr(colon + 1, *length);
    left_.remove_prefix(colon + 1 + *length);
    return field;
  }
  int64_t number() {
    const auto value = base::parse_decimal(next());
    if (!value || *value > INT64_MAX) broken_ = true;
    return value && !broken_ ? static_cast<int64_t>(*value) : 0;
  }
  bool broken() const { return broken_; }
  bool at_end() const { return left_.empty(); }

 private:
  std::string_view left_;
  bool broken_ = false;
};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

base::Result<void> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::fail(base::os_error(errno, "saving the objects"));
    text.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

}  // namespace

std::string write_saved(const ObjectStore::Everything& everything) {
  std::string out(kMagic);
  put(out, everything.revision);
  put(out, static_cast<int64_t>(everything.objects.size()));
  for (const Object& object : everything.objects) {
    put(out, object.id);
    put(out, object.kind);
    put(out, object.name);
    put(out, object.natural_key);
    put(out, object.document);
    put(out, object.version);
    put(out, object.created_ms);
    put(out, object.updated_ms);
  }
  out += digest_of(out);
  return out;
}

base::Result<ObjectStore::Everything> parse_saved(std::string_view text) {
  if (!text.starts_with(kMagic) || text.size() < kMagic.size() + kDigestBytes ||
      digest_of(text.substr(0, text.size() - kDigestBytes)) != text.substr(text.size() - kDigestBytes)) {
    return base::fail(base::ErrorCode::protocol, "the saved objects are not whole");
  }
  Fields fields(text.substr(kMagic.size(), text.size() - kMagic.size() - kDigestBytes));
  ObjectStore::Everything everything{.revision = fields.number(), .objects = {}};
  const int64_t count = fields.number();
  for (int64_t i = 0; i < count && !fields.broken(); ++i) {
    Object object;
    object.id = fields.next();
    object.kind = fields.next();
    object.name = fields.next();
    object.natural_key = fields.next();
    object.document = fields.next();
    object.version = fields.number();
    object.created_ms = fields.number();
    object.updated_ms = fields.number();
    everything.objects.push_back(std::move(object));
  }
  if (fields.broken() || !fields.at_end())
    return base::fail(base::ErrorCode::protocol, "the saved objects are not whole");
  return everything;
}

base::Result<void> save_objects(const std::string& path, const ObjectStore::Everything& everything) {
  constexpr int kMode = 0600;
  const std::string next = path + ".new";
  const std::string text = write_saved(everything);
  {
    const Descriptor file(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode));
    if (file.get() < 0) return base::fail(base::os_error(errno, "saving the objects"));
    TRY_VOID(write_all(file.get(), text));
    if (::fsync(file.get()) != 0) return base::fail(base::os_error(errno, "saving the objects"));
  }
  if (::rename(next.c_str(), path.c_str()) != 0) return base::fail(base::os_error(errno, "saving the objects"));
  return {};
}

base::Result<ObjectStore::Everything> read_saved_objects(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT) return base::fail(base::ErrorCode::not_found, "there are no saved objects");
    return base::fail(base::os_error(errno, "reading the saved objects"));
  }
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return base::fail(base::os_error(errno, "reading the saved objects"));
  if (static_cast<uint64_t>(status.st_size) > kSavedBytesMax) {
    return base::fail(base::ErrorCode::too_large, "the saved objects");
  }
  std::string text(static_cast<size_t>(status.st_size), '\0');
  size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t count = ::read(file.get(), text.data() + filled, text.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    filled += static_cast<size_t>(count);
  }
  text.resize(filled);
  return parse_saved(text);
}

}  // namespace llmgw::store

#include "store/objects/saved_objects.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.h"
#include "store/netstrings.h"

namespace llmgw::store {
namespace {

// A line of what it is, fields (store/netstrings.h), and a SHA-256 of all before.
constexpr std::string_view kMagic = "llm-gateway objects 2\n";
constexpr std::string_view kFirstMagic = "llm-gateway objects 1\n";  // without the place
static_assert(kMagic.size() == kFirstMagic.size());
constexpr size_t kDigestBytes = 64;  // in hex

std::string digest_of(std::string_view text) {
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return base::hex(digest);
}

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

std::string write_saved(std::string_view place, const ObjectStore::Everything& everything) {
  std::string out(kMagic);
  put_field(out, place);
  put_field(out, everything.revision);
  put_field(out, static_cast<int64_t>(everything.objects.size()));
  for (const Object& object : everything.objects) {
    put_field(out, object.id);
    put_field(out, object.kind);
    put_field(out, object.name);
    put_field(out, object.natural_key);
    put_field(out, object.document);
    put_field(out, object.version);
    put_field(out, object.created_ms);
    put_field(out, object.updated_ms);
  }
  out += digest_of(out);
  return out;
}

base::Result<SavedObjects> parse_saved(std::string_view text) {
  const bool first = text.starts_with(kFirstMagic);
  if ((!first && !text.starts_with(kMagic)) || text.size() < kMagic.size() + kDigestBytes ||
      digest_of(text.substr(0, text.size() - kDigestBytes)) != text.substr(text.size() - kDigestBytes)) {
    return base::fail(base::ErrorCode::protocol, "the saved objects are not whole");
  }
  FieldReader fields(text.substr(kMagic.size(), text.size() - kMagic.size() - kDigestBytes));
  const auto number = [&fields] { return static_cast<int64_t>(fields.number(INT64_MAX)); };
  SavedObjects saved;
  if (!first) saved.place = fields.text();
  ObjectStore::Everything& everything = saved.everything;
  everything.revision = number();
  const int64_t count = number();
  for (int64_t i = 0; i < count && !fields.broken(); ++i) {
    Object object;
    object.id = fields.text();
    object.kind = fields.text();
    object.name = fields.text();
    object.natural_key = fields.text();
    object.document = fields.text();
    object.version = number();
    object.created_ms = number();
    object.updated_ms = number();
    everything.objects.push_back(std::move(object));
  }
  if (!fields.whole()) return base::fail(base::ErrorCode::protocol, "the saved objects are not whole");
  return saved;
}

base::Result<void> save_objects(const std::string& path, std::string_view place,
                                const ObjectStore::Everything& everything) {
  constexpr int kMode = 0600;
  const std::string next = path + ".new";
  const std::string text = write_saved(place, everything);
  {
    const Descriptor file(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode));
    if (file.get() < 0) return base::fail(base::os_error(errno, "saving the objects"));
    TRY_VOID(write_all(file.get(), text));
    if (::fsync(file.get()) != 0) return base::fail(base::os_error(errno, "saving the objects"));
  }
  if (::rename(next.c_str(), path.c_str()) != 0) return base::fail(base::os_error(errno, "saving the objects"));
  return {};
}

base::Result<SavedObjects> read_saved_objects(const std::string& path) {
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

#include "app/service/process_setup.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <system_error>

#include "net/tls.h"

namespace llmgw::app {
namespace {

// Fixed, because glibc raises it as it sees large blocks freed, and then keeps them. Bodies above it are mapped.
constexpr int kMmapThresholdBytes = 128 * 1024;
// What is free at the heap's end goes back when the gateway rests (gateway/worker.cpp). Before, only where it is much:
// bodies of a few dozen calls that come and go would shrink and grow the heap, at a page fault a page.
constexpr int kTrimThresholdBytes = 8 * 1024 * 1024;

sigset_t set_of(std::initializer_list<int> numbers) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : numbers) sigaddset(&signals, number);
  return signals;
}

// Code is never written, so what is dropped is the file's and no copy of it.
int drop_code(dl_phdr_info* object, size_t, void*) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (size_t i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0 || (segment.p_flags & PF_W) != 0) continue;
    const uintptr_t start = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
    const uintptr_t end = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    // The loader gives numbers.
    auto* const first = reinterpret_cast<void*>(start);  // NOLINT(performance-no-int-to-ptr)
    (void)madvise(first, end - start, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

size_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit wanted{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &wanted) == 0) limit = wanted;
  }
  return limit.rlim_cur;
}

void tune_allocator(size_t threads) {
  mallopt(M_MMAP_THRESHOLD, kMmapThresholdBytes);
  mallopt(M_TRIM_THRESHOLD, kTrimThresholdBytes);
  mallopt(M_ARENA_MAX, static_cast<int>(threads));
}

void give_back_start_memory() {
  malloc_trim(0);
  dl_iterate_phdr(&drop_code, nullptr);
}

void hold_reload() {
  const sigset_t signals = set_of({SIGHUP});
  (void)pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

base::Result<process::FileDescriptor> block_signals() {
  net::ignore_sigpipe();
  const sigset_t signals = set_of({SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM});
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) return base::fail(base::os_error(errno, "blocking signals"));
  process::FileDescriptor descriptor(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor.valid()) return base::fail(base::os_error(errno, "signalfd"));
  return descriptor;
}

int next_signal(int descriptor) {
  signalfd_siginfo info{};
  const ssize_t count = read(descriptor, &info, sizeof info);
  return count == static_cast<ssize_t>(sizeof info) ? static_cast<int>(info.ssi_signo) : 0;
}

std::string make_data_dir(const std::string& path) {
  const auto problem = [&](int error) {
    return "server.data_dir: " + path + " cannot be used: " + std::strerror(error) +
           "; name a directory this user may write to";
  };
  std::error_code error;
  const auto parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return problem(errno);
  if (access(path.c_str(), W_OK | X_OK) != 0) return problem(errno);
  return {};
}

}  // namespace llmgw::app

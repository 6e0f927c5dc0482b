#include "io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "io/file_error.h"

namespace lampyris {
namespace {

constexpr size_t kMaxWrite = size_t{1} << 30;  // Linux writes at most 2^31 - 4096 bytes a call
constexpr mode_t kFileMode = 0666;             // lowered by the umask

int write_all(int descriptor, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor, bytes.data(), std::min(bytes.size(), kMaxWrite));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return ::fsync(descriptor) == 0 ? 0 : errno;
}

// A new file beside `path` whose name no other thread or process uses.
int open_temporary(const std::filesystem::path& path, std::string& temporary) {
  static std::atomic<uint64_t> counter{0};
  int descriptor = -1;
  do {
    auto name = "." + path.filename().string() + "." + std::to_string(::getpid()) + "." +
                std::to_string(counter++) + ".tmp";
    temporary = (path.parent_path() / name).string();
    descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode);
  } while (descriptor < 0 && errno == EEXIST);
  return descriptor;
}

}  // namespace

void write_file_atomic(const std::string& path, std::span<const uint8_t> bytes) {
  const std::filesystem::path target(path);
  if (target.has_parent_path()) {
    std::error_code error;
    std::filesystem::create_directories(target.parent_path(), error);
    if (error) throw FileError(error.value(), path);
  }
  std::string temporary;
  const int descriptor = open_temporary(target, temporary);
  if (descriptor < 0) throw FileError(errno, path);
  int code = write_all(descriptor, bytes);
  if (::close(descriptor) != 0 && code == 0) code = errno;
  if (code == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) code = errno;
  if (code == 0) return;
  ::unlink(temporary.c_str());
  throw FileError(code, path);
}

}  // namespace lampyris

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include "io/atomic_file.h"
#include "io/file_error.h"
#include "io/mapped_file.h"
#include "io/temporary_folder.h"

namespace lampyris {
namespace {

namespace fs = std::filesystem;

size_t entries(const TemporaryFolder& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder.path()), {}));
}

// The error code of a FileError that names `path`, or 0.
template <typename Action>
int code_of(const std::string& path, Action action) {
  try {
    action();
  } catch (const FileError& error) {
    EXPECT_EQ(error.path(), path);
    EXPECT_NE(std::string(error.what()).find(path), std::string::npos);
    return error.code().value();
  }
  return 0;
}

TEST(Files, WrittenBytesAreMapped) {
  const TemporaryFolder folder;
  const std::vector<uint8_t> bytes = {1, 0, 255, 7};
  const std::string path = folder / "new/folder/file.bin";
  write_file_atomic(path, bytes);
  MappedFile file(path);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), file.bytes().begin(), file.bytes().end()));
  MappedFile moved(std::move(file));
  EXPECT_EQ(moved.bytes().size(), bytes.size());
  EXPECT_TRUE(file.bytes().empty());
}

TEST(Files, EmptyFile) {
  const TemporaryFolder folder;
  const std::string path = folder / "empty";
  write_file_atomic(path, {});
  EXPECT_TRUE(MappedFile(path).bytes().empty());
}

TEST(Files, OverwritingLeavesOneFileAndOldReadersTheOldContent) {
  const TemporaryFolder folder;
  const std::string path = folder / "file.bin";
  write_file_atomic(path, std::vector<uint8_t>(10, 1));
  const MappedFile old(path);
  write_file_atomic(path, std::vector<uint8_t>(3, 2));
  EXPECT_EQ(old.bytes().size(), 10u);
  EXPECT_EQ(old.bytes()[9], 1);
  EXPECT_EQ(MappedFile(path).bytes().size(), 3u);
  EXPECT_EQ(entries(folder), 1u);
}

TEST(Files, FailuresNameThePathAndLeaveNothing) {
  const TemporaryFolder folder;
  const std::string missing = folder / "missing";
  EXPECT_EQ(code_of(missing, [&] { MappedFile file(missing); }), ENOENT);
  EXPECT_EQ(code_of(folder.path(), [&] { MappedFile file(folder.path()); }), EISDIR);
  const std::string pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(code_of(pipe, [&] { MappedFile file(pipe); }), EINVAL);
  const std::string taken = folder / "taken";
  fs::create_directory(taken);
  EXPECT_NE(code_of(taken, [&] { write_file_atomic(taken, std::vector<uint8_t>(1)); }), 0);
  const std::string below = folder / "pipe/file";
  EXPECT_NE(code_of(below, [&] { write_file_atomic(below, std::vector<uint8_t>(1)); }), 0);
  EXPECT_EQ(entries(folder), 2u);
}

}  // namespace
}  // namespace lampyris

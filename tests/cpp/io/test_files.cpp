#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include "io/atomic_file.h"
#include "io/file_error.h"
#include "io/mapped_file.h"

namespace lampyris {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "lampyris_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  size_t entries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }

  fs::path folder_;
};

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

TEST_F(Files, WrittenBytesAreMapped) {
  const std::vector<uint8_t> bytes = {1, 0, 255, 7};
  const std::string path = folder_ / "new" / "folder" / "file.bin";
  write_file_atomic(path, bytes);
  MappedFile file(path);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), file.bytes().begin(), file.bytes().end()));
  MappedFile moved(std::move(file));
  EXPECT_EQ(moved.bytes().size(), bytes.size());
  EXPECT_TRUE(file.bytes().empty());
}

TEST_F(Files, EmptyFile) {
  const std::string path = folder_ / "empty";
  write_file_atomic(path, {});
  EXPECT_TRUE(MappedFile(path).bytes().empty());
}

TEST_F(Files, OverwritingLeavesOneFileAndOldReadersTheOldContent) {
  const std::string path = folder_ / "file.bin";
  write_file_atomic(path, std::vector<uint8_t>(10, 1));
  const MappedFile old(path);
  write_file_atomic(path, std::vector<uint8_t>(3, 2));
  EXPECT_EQ(old.bytes().size(), 10u);
  EXPECT_EQ(old.bytes()[9], 1);
  EXPECT_EQ(MappedFile(path).bytes().size(), 3u);
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, FailuresNameThePathAndLeaveNothing) {
  const std::string missing = folder_ / "missing";
  EXPECT_EQ(code_of(missing, [&] { MappedFile file(missing); }), ENOENT);
  EXPECT_EQ(code_of(folder_, [&] { MappedFile file(folder_); }), EISDIR);
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(code_of(pipe, [&] { MappedFile file(pipe); }), EINVAL);
  const std::string taken = folder_ / "taken";
  fs::create_directory(taken);
  EXPECT_NE(code_of(taken, [&] { write_file_atomic(taken, std::vector<uint8_t>(1)); }), 0);
  const std::string below = folder_ / "pipe" / "file";
  EXPECT_NE(code_of(below, [&] { write_file_atomic(below, std::vector<uint8_t>(1)); }), 0);
  EXPECT_EQ(entries(), 2u);
}

}  // namespace
}  // namespace lampyris

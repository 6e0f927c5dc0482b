// Event files for tests: bytes in memory, written to a temporary folder.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "events/dat_file.h"

namespace lampyris {

inline std::string dat_record(const Event& e) {
  const uint32_t words[2] = {e.t, uint32_t{e.x} | uint32_t{e.y} << 14 | uint32_t{e.polarity} << 28};
  return {reinterpret_cast<const char*>(words), sizeof words};
}

inline const std::string kDatHeader =
    "% Data file containing Event2D events.\n% Version 2\n% Height 3\n% Width 4\n" +
    std::string("\0\x08", 2);

inline std::string dat_bytes(const std::string& header, const std::vector<Event>& events) {
  std::string bytes = header;
  for (const Event& e : events) bytes += dat_record(e);
  return bytes;
}

// A file of these bytes; removed with the object.
class TemporaryDat {
 public:
  explicit TemporaryDat(const std::string& bytes) {
    char name[] = "/tmp/lampyris_dat_XXXXXX";
    ::close(::mkstemp(name));
    path_ = name;
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~TemporaryDat() { std::filesystem::remove(path_); }
  TemporaryDat(const TemporaryDat&) = delete;
  TemporaryDat& operator=(const TemporaryDat&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace lampyris

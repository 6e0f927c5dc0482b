// A file that cannot be opened, read or written: errno and path. Becomes OSError (and so
// FileNotFoundError, PermissionError, ...) in Python.
#pragma once

#include <string>
#include <system_error>

namespace lampyris {

class FileError : public std::system_error {
 public:
  FileError(int code, std::string path)
      : std::system_error(code, std::generic_category(), path), path_(std::move(path)) {}

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace lampyris

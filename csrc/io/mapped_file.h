// A whole file as read-only memory. Nothing is copied; pages come in on first touch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace lampyris {

class MappedFile {
 public:
  // Maps a regular file (an empty one gives an empty span). Throws FileError: missing, not
  // readable, a folder, not a regular file.
  explicit MappedFile(const std::string& path);
  ~MappedFile();

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Valid as long as the object lives. The file must not be shortened meanwhile.
  std::span<const uint8_t> bytes() const { return {data_, size_}; }

 private:
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace lampyris

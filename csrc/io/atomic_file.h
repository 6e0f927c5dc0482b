// Files written whole or not at all.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace lampyris {

// Writes a temporary file in the same folder, flushes it to disk and renames it over `path`; an
// old file keeps its content until then and its temporary companion never stays behind.
// Missing folders are created. Throws FileError.
void write_file_atomic(const std::string& path, std::span<const uint8_t> bytes);

}  // namespace lampyris

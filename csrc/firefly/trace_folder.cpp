#include "firefly/trace_folder.h"

#include <cctype>
#include <cerrno>
#include <filesystem>

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/file_error.h"
#include "io/mapped_file.h"

namespace lampyris::firefly {

namespace {

std::string_view folder_of(Quantity quantity) {
  constexpr std::string_view kFolders[] = {"", "streams", "spikes", "membranes", "outputs"};
  return kFolders[static_cast<size_t>(quantity)];
}

std::string escaped(const std::string& name) {
  std::string out;
  for (const char c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
    out += plain ? std::string(1, c) : text("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

template <class T>
void save(const std::string& path, const StoredMap& map, NpyType type) {
  NpyArray array{type, {map.steps, map.channels, map.height, map.width}, {}};
  array.bytes.resize(map.count() * sizeof(T));
  map.decode(reinterpret_cast<T*>(array.bytes.data()));
  write_file_atomic(path, write_npy(array));
}

}  // namespace

std::string trace_file(const std::string& folder, Quantity quantity, const std::string& name) {
  if (quantity == Quantity::kInput) return folder + "/input.npy";
  return text("{}/{}/{}.npy", folder, folder_of(quantity), escaped(name));
}

int save_trace(const std::string& folder, const Result& result, const NpyArray& input) {
  write_file_atomic(trace_file(folder, Quantity::kInput, ""), write_npy(input));
  int files = 1;
  const auto all = [&]<class T>(const Keyed<StoredMap>& maps, Quantity quantity, NpyType type, T) {
    for (const auto& [name, map] : maps.items()) {
      save<T>(trace_file(folder, quantity, name), map, type);
      ++files;
    }
  };
  all(result.spikes, Quantity::kSpikes, NpyType::kBool, uint8_t{});
  all(result.streams, Quantity::kStream, NpyType::kInt16, int16_t{});
  all(result.membranes, Quantity::kMembrane, NpyType::kInt32, int32_t{});
  all(result.outputs, Quantity::kOutput, NpyType::kInt32, int32_t{});
  return files;
}

FolderTrace::FolderTrace(std::string folder) : folder_(std::move(folder)) {
  if (!std::filesystem::is_directory(folder_))
    throw FileError(ENOTDIR, folder_);
}

std::optional<TraceMap> FolderTrace::find(Quantity quantity, const std::string& name) const {
  const std::string path = trace_file(folder_, quantity, name);
  if (!std::filesystem::exists(path)) return std::nullopt;
  const MappedFile file(path);
  try {
    return trace_map(read_npy(file.bytes()), "map");
  } catch (const std::invalid_argument& error) {
    fail("{}: {}", path, error.what());
  }
}

}  // namespace lampyris::firefly

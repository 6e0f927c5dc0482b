// Array files: any bytes are either refused with std::invalid_argument or read, and what was read is
// written and read again to the same array.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "driver.h"
#include "firefly/npy.h"

using lampyris::firefly::NpyArray;
using lampyris::firefly::NpyType;

namespace {

[[noreturn]] void broken(const char* what) {
  std::fprintf(stderr, "fuzz_npy: %s\n", what);
  std::abort();
}

}  // namespace

std::vector<FuzzInput> fuzz_seeds() {
  std::vector<FuzzInput> seeds;
  for (const NpyType type : {NpyType::kUint8, NpyType::kBool, NpyType::kInt16, NpyType::kInt32}) {
    NpyArray array{type, {3, 2}, {}};
    array.bytes.resize(static_cast<size_t>(6 * lampyris::firefly::npy_item_bytes(type)), 1);
    seeds.push_back(write_npy(array));
  }
  seeds.push_back(lampyris::firefly::write_npy({NpyType::kUint8, {}, {7}}));
  FuzzInput longer = seeds[0];
  longer[6] = 2;
  longer.insert(longer.begin() + 10, 2, uint8_t{0});
  seeds.push_back(longer);
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  NpyArray array;
  try {
    array = lampyris::firefly::read_npy({data, size});
  } catch (const std::invalid_argument& error) {
    if (std::strncmp(error.what(), "npy: ", 5) != 0) broken(error.what());
    return 0;
  }
  const NpyArray again = lampyris::firefly::read_npy(write_npy(array));
  if (again.type != array.type || again.shape != array.shape || again.bytes != array.bytes)
    broken("array changed");
  return 0;
}

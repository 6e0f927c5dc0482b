// Repair of an image's protected tensors while it is read.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "firefly/image.h"
#include "firefly/image_protection.h"
#include "io/safetensors.h"

namespace lampyris {

// The tensors as stored, damaged ones replaced.
struct RepairedTensors {
  std::map<std::string, std::vector<uint8_t>, std::less<>> replaced;
  // Parts were set to zero: the checksum over the whole cannot hold. Sections that could be checked
  // were.
  std::set<std::string, std::less<>> partly_zero;
};

// `entries` in file order, `data` everything behind the header. Adds a row for each protected tensor
// (and one for ecc.parity where its padding was wrong) to `repairs`.
// Throws std::invalid_argument for what the options refuse.
RepairedTensors repair_tensors(const Protection& protection,
                               const std::vector<SafetensorsEntry>& entries,
                               std::span<const uint8_t> data, const ReadOptions& options,
                               Repairs& repairs);

}  // namespace lampyris

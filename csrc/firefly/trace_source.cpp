#include "firefly/trace_source.h"

#include <array>

#include "core/error.h"

namespace lampyris::firefly {

namespace {

constexpr std::array<std::string_view, 5> kNames = {"input", "stream", "spikes", "membrane",
                                                    "accumulator"};

template <class T>
TraceMap decoded(const StoredMap& map) {
  std::vector<T> values(map.count());
  map.decode(values.data());
  return {map.steps, map.channels, map.height, map.width, {values.begin(), values.end()}};
}

template <class T>
void widen(const NpyArray& array, std::vector<int32_t>& out) {
  const auto* values = reinterpret_cast<const T*>(array.bytes.data());
  out.assign(values, values + array.bytes.size() / sizeof(T));
}

}  // namespace

std::string_view quantity_name(Quantity quantity) { return kNames[static_cast<size_t>(quantity)]; }

Quantity parse_quantity(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (name == kNames[i]) return static_cast<Quantity>(i);
  fail("trace: quantity must be input, stream, spikes, membrane or accumulator, got \"{}\"", name);
}

std::optional<TraceMap> ResultTrace::find(Quantity quantity, const std::string& name) const {
  switch (quantity) {
    case Quantity::kInput:
      if (input_) return trace_map(*input_, "input");
      break;
    case Quantity::kSpikes:
      if (const StoredMap* map = result_.spikes.find(name)) return decoded<uint8_t>(*map);
      break;
    case Quantity::kStream:
      if (const StoredMap* map = result_.streams.find(name)) return decoded<int16_t>(*map);
      break;
    case Quantity::kMembrane:
      if (const StoredMap* map = result_.membranes.find(name)) return decoded<int32_t>(*map);
      break;
    case Quantity::kOutput:
      if (const StoredMap* map = result_.outputs.find(name)) return decoded<int32_t>(*map);
      break;
  }
  return std::nullopt;
}

TraceMap trace_map(const NpyArray& array, std::string_view what) {
  const std::vector<int64_t>& s = array.shape;
  const size_t first = s.size() == 4 ? 1 : 0;
  if (s.size() != 3 && s.size() != 4)
    fail("trace: {} must have shape [C, H, W] or [T, C, H, W], got {} dimensions", what, s.size());
  TraceMap map{first ? static_cast<int>(s[0]) : 1, static_cast<int>(s[first]),
               static_cast<int>(s[first + 1]), static_cast<int>(s[first + 2]), {}};
  switch (array.type) {
    case NpyType::kUint8:
    case NpyType::kBool:
      widen<uint8_t>(array, map.values);
      break;
    case NpyType::kInt16:
      widen<int16_t>(array, map.values);
      break;
    case NpyType::kInt32:
      widen<int32_t>(array, map.values);
      break;
  }
  return map;
}

}  // namespace lampyris::firefly

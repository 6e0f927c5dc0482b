#include "firefly/plan.h"

#include "core/error.h"

namespace lampyris::firefly {

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kSpikes:
      return "spikes";
    case Kind::kStream:
      return "stream";
    case Kind::kInt32:
      return "int32";
  }
  return "unknown";
}

const PlanMap* Plan::find(std::string_view name) const {
  for (const PlanMap& map : maps)
    if (map.name == name) return &map;
  return nullptr;
}

const PlanMap& Plan::map(std::string_view name) const {
  const PlanMap* found = find(name);
  if (!found) fail("weight image: plan must describe the map \"{}\", got none", name);
  return *found;
}

std::string layer_tensor(size_t layer, std::string_view part) {
  return text("layer.{:03}.{}", layer, part);
}

}  // namespace lampyris::firefly

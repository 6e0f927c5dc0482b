#include "firefly/first_difference.h"

#include <algorithm>
#include <tuple>

#include "core/error.h"

namespace lampyris::firefly {

namespace {

struct MapName {
  Quantity quantity;
  std::string name;
};

// Maps of one grid: they are compared side by side, so that the first difference of a neuron is
// found in time before it is found by map.
using Grid = std::vector<MapName>;

struct LayerGrids {
  int layer;
  std::vector<Grid> grids;
};

void add(Grid& grid, Quantity quantity, const std::string& name) {
  if (!name.empty()) grid.push_back({quantity, name});
}

LayerGrids host_grids(const Plan& plan) {
  Grid grid;
  const Quantity input =
      plan.map(plan.input).kind == Kind::kSpikes ? Quantity::kSpikes : Quantity::kStream;
  if (plan.stem && plan.stem->fires) {
    add(grid, Quantity::kStream, plan.stem->name);
    add(grid, Quantity::kSpikes, plan.input);
    add(grid, Quantity::kMembrane, plan.stem->neuron);
  } else {
    add(grid, input, plan.input);
  }
  return {-1, {grid}};
}

LayerGrids layer_grids(const PlanLayer& layer, int n) {
  Grid neuron, pooled, stored, sums;
  add(neuron, Quantity::kStream, layer.current);
  add(neuron, Quantity::kSpikes, layer.neuron);
  if (!layer.pool && layer.spikes != layer.neuron) add(neuron, Quantity::kSpikes, layer.spikes);
  add(neuron, Quantity::kMembrane, layer.neuron);
  if (layer.pool) add(pooled, Quantity::kSpikes, layer.spikes);
  if (layer.stream != layer.current) add(stored, Quantity::kStream, layer.stream);
  add(sums, Quantity::kOutput, layer.int32);
  return {n, {neuron, pooled, stored, sums}};
}

std::vector<LayerGrids> all_grids(const Plan& plan) {
  std::vector<LayerGrids> all = {host_grids(plan)};
  for (size_t n = 0; n < plan.layers.size(); ++n)
    all.push_back(layer_grids(plan.layers[n], static_cast<int>(n)));
  if (plan.output && plan.output->convolves)
    all.push_back({static_cast<int>(plan.layers.size()), {{{Quantity::kOutput, plan.output->name}}}});
  return all;
}

std::string layer_name(const Plan& plan, int layer) {
  if (layer < 0) return plan.stem ? plan.stem->name : plan.input;
  if (layer == static_cast<int>(plan.layers.size())) return plan.output->name;
  return plan.layers[static_cast<size_t>(layer)].name;
}

class Comparing {
 public:
  Comparing(const LoadedImage& image, const TraceSource& left, const TraceSource& right)
      : image_(image), left_(left), right_(right) {}

  TraceComparison run() {
    for (const LayerGrids& layer : all_grids(image_.plan))
      for (const Grid& grid : layer.grids) {
        std::optional<Difference> first;
        for (size_t i = 0; i < grid.size(); ++i) compare(layer.layer, grid[i], i, first);
        if (first && !result_.first) result_.first = std::move(first);
      }
    if (result_.compared.empty())
      fail("first_difference: the runs must have maps in common, got none");
    if (result_.first) {
      Difference& d = *result_.first;
      d.layer = layer_name(image_.plan, d.place.layer);
      d.operands = explain(image_, left_, d.place);
    }
    return std::move(result_);
  }

 private:
  using Order = std::tuple<int, int, int, int, int, size_t>;  // t, tile, y, x, channel, map

  void compare(int layer, const MapName& map, size_t index, std::optional<Difference>& first) {
    const std::string shown = text("{} \"{}\"", quantity_name(map.quantity), map.name);
    const auto a = left_.find(map.quantity, map.name), b = right_.find(map.quantity, map.name);
    if (!a || !b) {
      if (a) result_.only_left.push_back(shown);
      if (b) result_.only_right.push_back(shown);
      return;
    }
    const int steps = std::max(a->steps, b->steps);
    const auto fits = [&](int s) { return s == 1 || s == steps; };
    if (a->channels != b->channels || a->height != b->height || a->width != b->width ||
        !fits(a->steps) || !fits(b->steps))
      fail("first_difference: {} must have one shape, got [{}, {}, {}, {}] and [{}, {}, {}, {}]",
           shown, a->steps, a->channels, a->height, a->width, b->steps, b->channels, b->height,
           b->width);
    result_.compared.push_back(shown);
    result_.values += int64_t{steps} * a->channels * a->height * a->width;
    if (a->steps == b->steps && a->values == b->values) return;
    const int p = image_.plan.parallelism;
    for (int t = 0; t < steps; ++t)
      for (int c = 0; c < a->channels; ++c)
        for (int y = 0; y < a->height; ++y)
          for (int x = 0; x < a->width; ++x) {
            const int32_t u = a->at(t, c, y, x), v = b->at(t, c, y, x);
            if (u == v) continue;
            ++result_.differing;
            const Order order{t, c / p, y, x, c, index};
            if (first && !(order < order_)) continue;
            order_ = order;
            first = Difference{{layer, map.name, map.quantity, t, c, y, x}, "", c / p, u, v, {}};
          }
  }

  const LoadedImage& image_;
  const TraceSource& left_;
  const TraceSource& right_;
  TraceComparison result_;
  Order order_;
};

}  // namespace

Place find_place(const Plan& plan, Quantity quantity, const std::string& name) {
  Place place{0, name, quantity, 0, 0, 0, 0};
  for (const LayerGrids& layer : all_grids(plan))
    for (const Grid& grid : layer.grids)
      for (const MapName& map : grid)
        if (map.quantity == quantity && map.name == name) {
          place.layer = layer.layer;
          return place;
        }
  fail("explain: the plan must give {} \"{}\", got no such map", quantity_name(quantity), name);
}

TraceComparison compare_traces(const LoadedImage& image, const TraceSource& left,
                               const TraceSource& right) {
  return Comparing(image, left, right).run();
}

}  // namespace lampyris::firefly

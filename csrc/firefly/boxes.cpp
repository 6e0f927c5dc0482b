#include "firefly/boxes.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "firefly/host.h"

namespace lampyris::firefly {

namespace {

constexpr double kLogSizeLimit = 4;

double overlap(const Box& a, const Box& b) {
  const double w = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  const double h = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  const double both = std::max(w, 0.0) * std::max(h, 0.0);
  const double all = (a.x2 - a.x1) * (a.y2 - a.y1) + (b.x2 - b.x1) * (b.y2 - b.y1) - both;
  return both / all;
}

// Pixels per cell, 0 where that is no whole number, or the network detects nothing or at several
// scales, whose boxes its Python decoders find.
int cell_stride(const Plan& plan) {
  if (!plan.stem || !plan.output || !plan.further_outputs.empty()) return 0;
  int height = 0, width = 0;
  if (plan.output->convolves) {
    const PlanMap& map = plan.map(plan.layers.back().spikes);
    const int grown = 2 * plan.output->padding - plan.output->kernel + 1;
    height = map.height + grown, width = map.width + grown;
  } else if (const PlanMap* map = plan.find(plan.output->name)) {
    height = map->height, width = map->width;
  }
  const HostStem& stem = *plan.stem;
  if (height < 1 || width < 1 || stem.in_height % height || stem.in_width % width) return 0;
  const int stride = stem.in_height / height;
  return stride == stem.in_width / width ? stride : 0;
}

}  // namespace

std::vector<int> suppress(std::span<const Box> boxes, double iou_threshold) {
  std::vector<int> order(boxes.size()), kept;
  std::iota(order.begin(), order.end(), 0);
  const auto box = [&](int i) -> const Box& { return boxes[static_cast<size_t>(i)]; };
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return box(a).score > box(b).score; });
  for (const int i : order) {
    const bool covered = std::any_of(kept.begin(), kept.end(), [&](int k) {
      return box(k).label == box(i).label && overlap(box(k), box(i)) > iou_threshold;
    });
    if (!covered) kept.push_back(i);
  }
  return kept;
}

std::vector<Box> find_boxes(std::span<const double> map, int channels, int height, int width,
                            const BoxOptions& options) {
  if (channels <= kBoxOutputs || height < 1 || width < 1 ||
      static_cast<int64_t>(map.size()) != int64_t{channels} * height * width)
    fail("boxes: map must have shape [4 + classes, H, W], got [{}, {}, {}] and {} values", channels,
         height, width, map.size());
  const double stride = options.stride;
  const int64_t plane = int64_t{height} * width;
  std::vector<Box> found;
  for (int64_t cell = 0; cell < plane; ++cell) {
    const auto value = [&](int c) { return map[static_cast<size_t>(c * plane + cell)]; };
    const double x = (static_cast<double>(cell % width) + 0.5 + value(0)) * stride;
    const double y = (static_cast<double>(cell / width) + 0.5 + value(1)) * stride;
    const auto half = [&](int c) {
      return options.box_scale / 2 * std::exp(std::clamp(value(c), -kLogSizeLimit, kLogSizeLimit));
    };
    const double w = half(2), h = half(3), right = width * stride, below = height * stride;
    for (int label = 0; label < channels - kBoxOutputs; ++label) {
      const double score = 1 / (1 + std::exp(-value(kBoxOutputs + label)));
      if (!(score > options.score_threshold)) continue;
      found.push_back({std::clamp(x - w, 0.0, right), std::clamp(y - h, 0.0, below),
                       std::clamp(x + w, 0.0, right), std::clamp(y + h, 0.0, below), score, label});
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Box& a, const Box& b) { return a.score > b.score; });
  found.resize(std::min(found.size(), static_cast<size_t>(std::max(options.candidates, 0))));
  std::vector<Box> kept;
  for (const int i : suppress(found, options.iou_threshold)) {
    if (static_cast<int>(kept.size()) == options.most) break;
    kept.push_back(found[static_cast<size_t>(i)]);
  }
  return kept;
}

bool detects(const Plan& plan) {
  return cell_stride(plan) > 0 && plan.output->step.size() > kBoxOutputs &&
         (plan.output->class_names.empty() ||
          plan.output->step.size() == kBoxOutputs + plan.output->class_names.size());
}

std::vector<Box> result_boxes(const Plan& plan, const Result& result, BoxOptions options) {
  if (!detects(plan)) fail("boxes: image must have a detection map as output, got none");
  const StoredMap* map = result.outputs.find(plan.output->name);
  if (!map) fail("boxes: result must have output \"{}\", got none", plan.output->name);
  std::vector<int32_t> sums(map->count());
  map->decode(sums.data());
  std::vector<double> values(sums.size());
  const size_t plane = static_cast<size_t>(int64_t{map->height} * map->width);
  for (size_t i = 0; i < sums.size(); ++i)
    values[i] = sums[i] * plan.output->step.at(i / plane) / plan.steps;
  options.stride = cell_stride(plan);
  return find_boxes(values, map->channels, map->height, map->width, options);
}

}  // namespace lampyris::firefly

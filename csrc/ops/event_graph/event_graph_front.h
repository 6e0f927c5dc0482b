// What the CPU and the GPU check before they build an event graph.
#pragma once

#include <cmath>
#include <limits>

#include "ops/event_graph/event_graph.h"
#include "ops/tensor.h"

namespace lampyris {

// x, y [E] int32, t [E] int64, recording_ptr [R + 1] int64, all contiguous.
inline EventGraph check_event_graph(const Tensor& x, const Tensor& y, const Tensor& t,
                                    const Tensor& ptr, int64_t width, int64_t height, double radius,
                                    int64_t time_radius, int64_t max_neighbours) {
  constexpr const char* kOp = "event_graph";
  if (x.dim() != 1) fail("event_graph: x must have shape [E], got {}", shape_text(x));
  const Sizes want = sizes_of(x);
  if (sizes_of(y) != want) {
    fail("event_graph: y must have shape {}, got {}", shape_text(want), shape_text(y));
  }
  if (sizes_of(t) != want) {
    fail("event_graph: t must have shape {}, got {}", shape_text(want), shape_text(t));
  }
  if (ptr.dim() != 1 || ptr.size(0) < 2) {
    fail("event_graph: recording_ptr must have shape [R + 1] with R >= 1, got {}", shape_text(ptr));
  }
  check_dtype(kOp, "x", x, ScalarType::Int);
  check_dtype(kOp, "y", y, ScalarType::Int);
  check_dtype(kOp, "t", t, ScalarType::Long);
  check_dtype(kOp, "recording_ptr", ptr, ScalarType::Long);
  check_device(kOp, "y", y, x);
  check_device(kOp, "t", t, x);
  check_device(kOp, "recording_ptr", ptr, x);
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (x.size(0) > kMost) fail("event_graph: E must be <= {}, got {}", kMost, x.size(0));
  if (width < 1 || height < 1 || width > kMost / 4096 || height > kMost / 4096) {
    fail("event_graph: width and height must be in [1, {}], got {} and {}", kMost / 4096, width,
         height);
  }
  if (!(radius >= 0) || radius >= kMaxEventRadius + 1) {
    fail("event_graph: radius must be in [0, {}) pixels, got {}", kMaxEventRadius + 1, radius);
  }
  if (time_radius < 0) fail("event_graph: time_radius must be >= 0, got {}", time_radius);
  if (max_neighbours < 1 || max_neighbours > kMaxEventNeighbours) {
    fail("event_graph: max_neighbours must be in [1, {}], got {}", kMaxEventNeighbours,
         max_neighbours);
  }
  EventGraph graph;
  graph.width = static_cast<int32_t>(width);
  graph.height = static_cast<int32_t>(height);
  graph.time_radius = time_radius;
  graph.max_neighbours = static_cast<int32_t>(max_neighbours);
  set_radius(graph, radius);
  return graph;
}

}  // namespace lampyris

// A warp an event: each lane merges the lists of its own pixels of the disc. Two passes, degrees and
// then neighbours. Bytes of an event and pass: 8 (t) + 8 (x, y) + about 4 reads of key_ptr and order
// of each pixel's search (16 bytes a step), which stay in L2.
#include "ops/event_graph/event_graph.h"
#include "ops/launch.cuh"

namespace lampyris {

namespace {

constexpr int kLanePixels = (2 * kMaxEventRadius + 1) * (2 * kMaxEventRadius + 1) / kWarp + 1;

// Events of one key before event `limit`: the place one past them in order, at or after `begin`.
__device__ int64_t before(const int64_t* order, int64_t begin, int64_t end, int64_t limit) {
  while (begin < end) {
    const int64_t middle = (begin + end) / 2;
    if (order[middle] < limit) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

__global__ void __launch_bounds__(kBlockThreads)
    event_graph_kernel(EventGraphCuda job, int64_t* degree, const int64_t* row_ptr, int64_t* col) {
  const int64_t event = global_thread() / kWarp;
  if (event >= job.events) return;
  const EventGraph& g = job.graph;
  const WarpTeam team;
  const int32_t x = job.x[event], y = job.y[event];
  const int64_t now = job.t[event];
  // A lane's pixels: the place of the newest event still to come, and where its key begins.
  int32_t heads[kLanePixels];
  int64_t places[kLanePixels];
  int count = 0, pixel = 0;
  const bool inside = x >= 0 && x < g.width && y >= 0 && y < g.height;
  for (int dy = -g.radius; inside && dy <= g.radius; ++dy) {
    const int span = g.span[dy < 0 ? -dy : dy];
    for (int dx = -span; dx <= span; ++dx) {
      if (pixel++ % kWarp != team.lane()) continue;
      const int32_t px = x + dx, py = y + dy;
      if (px < 0 || px >= g.width || py < 0 || py >= g.height) continue;
      const int64_t key = (job.recording[event] * g.height + py) * g.width + px;
      if (key < 0 || key >= job.keys) continue;
      const int64_t begin = job.key_ptr[key];
      const int64_t place = before(job.order, begin, job.key_ptr[key + 1], event) - 1;
      if (place < begin) continue;
      const int64_t newest = job.order[place];
      if (too_old(g, job.t[newest], now)) continue;
      heads[count] = static_cast<int32_t>(newest);
      places[count] = place;
      ++count;
    }
  }
  int64_t* out = col == nullptr ? nullptr : col + row_ptr[event];
  const int32_t found = newest_events(
      team, heads, count, 0, g.max_neighbours,
      [&](int32_t newest) -> int32_t {
        for (int i = 0; i < count; ++i) {
          if (heads[i] != newest) continue;
          const int64_t place = --places[i];
          if (place < 0) return -1;
          const int64_t older = job.order[place];
          const bool same = job.x[older] == job.x[newest] && job.y[older] == job.y[newest] &&
                            job.recording[older] == job.recording[newest];
          return same && !too_old(g, job.t[older], now) ? static_cast<int32_t>(older) : -1;
        }
        return -1;
      },
      [&](int32_t newest) {
        if (out != nullptr) *out++ = newest;
      });
  if (team.lane() == 0 && degree != nullptr) degree[event] = found;
}

}  // namespace

void event_graph_cuda(const EventGraphCuda& job, int64_t* degree, const int64_t* row_ptr,
                      int64_t* col, CUstream_st* stream) {
  if (job.events == 0) return;
  event_graph_kernel<<<blocks_for(job.events * kWarp), kBlockThreads, 0, stream>>>(job, degree,
                                                                                   row_ptr, col);
  check_launch("event_graph");
}

}  // namespace lampyris

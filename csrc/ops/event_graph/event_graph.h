// The causal neighbour graph of events in order of time. Event i hears from the newest events j < i
// of its recording within `radius` pixels and `time_radius` microseconds, at most max_neighbours of
// them, newest first. Events of a pixel are a linked list (previous event of the pixel), so the
// newest of a neighbourhood are found by merging the lists of its pixels: linear in the events.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "core/attributes.h"
#include "core/team.h"

struct CUstream_st;

namespace lampyris {

inline constexpr int kMaxEventRadius = 15;      // pixels
inline constexpr int kMaxEventNeighbours = 1024;

struct EventGraph {
  int32_t width = 0, height = 0;
  int32_t radius = 0;                      // floor of the radius: rows of the disc above and below
  int32_t span[kMaxEventRadius + 1] = {};  // pixels left and right at |dy|
  int64_t time_radius = 0;
  int32_t max_neighbours = 0;

  int pixels() const {
    int count = 0;
    for (int dy = -radius; dy <= radius; ++dy) count += 2 * span[dy < 0 ? -dy : dy] + 1;
    return count;
  }
};

// Whether an event at `then` <= `now` can no longer be heard. The difference fits 64 bits without a
// sign.
LAMPYRIS_INLINE bool too_old(const EventGraph& g, int64_t then, int64_t now) {
  return static_cast<uint64_t>(now) - static_cast<uint64_t>(then) >
         static_cast<uint64_t>(g.time_radius);
}

// The disc dx^2 + dy^2 <= radius^2.
inline void set_radius(EventGraph& graph, double radius) {
  graph.radius = static_cast<int32_t>(std::floor(radius));
  for (int dy = 0; dy <= graph.radius; ++dy) {
    int32_t span = 0;
    while ((span + 1.0) * (span + 1.0) + double(dy) * dy <= radius * radius) ++span;
    graph.span[dy] = span;
  }
}

// The newest events of a neighbourhood. heads[0..count) are the newest events of the lane's own
// pixels, each the head of a list through previous(event); events below `oldest` (>= 0) are too old,
// an empty list is -1. Lane 0 calls emit(event) in falling order. Gives how many, in every lane.
template <class Team, class Previous, class Emit>
LAMPYRIS_TEAM_INLINE int32_t newest_events(const Team& team, int32_t* heads, int count, int32_t oldest,
                                      int32_t limit, const Previous& previous, const Emit& emit) {
  int32_t found = 0;
  while (found < limit) {
    int32_t own = -1;
    for (int i = 0; i < count; ++i) own = heads[i] > own ? heads[i] : own;
    const int32_t newest = team.max(own);
    if (newest < oldest) break;
    if (own == newest) {
      const int32_t before = previous(newest);
      for (int i = 0; i < count; ++i) heads[i] = heads[i] == newest ? before : heads[i];
    }
    if (team.lane() == 0) emit(newest);
    ++found;
  }
  return found;
}

// Events [begin, end) of a recording that starts at `first`: appends i - j of every neighbour to
// `back` and writes how many event i has to degree[i]. x, y in range, t never falls.
void event_graph_rows(const EventGraph& graph, const int32_t* x, const int32_t* y, const int64_t* t,
                      int64_t first, int64_t begin, int64_t end, std::vector<int32_t>& back,
                      int64_t* degree);

// Coordinates in the frame and times that never fall within a recording; throws
// std::invalid_argument naming the event.
void check_events(const EventGraph& graph, const int32_t* x, const int32_t* y, const int64_t* t,
                  const int64_t* ptr, int64_t recordings);

// What the GPU kernel reads. order lists the events by (recording, pixel, time): the events of key
// k = recording * width * height + pixel are order[key_ptr[k]] ... order[key_ptr[k + 1] - 1].
struct EventGraphCuda {
  EventGraph graph;
  const int32_t *x, *y;
  const int64_t *t, *recording, *order, *key_ptr;
  int64_t events, keys;
};

// degree[i], and with `col` the neighbours from row_ptr[i] on.
void event_graph_cuda(const EventGraphCuda& job, int64_t* degree, const int64_t* row_ptr,
                      int64_t* col, CUstream_st* stream);

}  // namespace lampyris

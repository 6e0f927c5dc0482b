#include <algorithm>

#include "core/error.h"
#include "cpu/dispatch.h"
#include "ops/event_graph/event_graph.h"
#include "ops/event_graph/event_graph_lanes.h"

namespace lampyris {

namespace {

constexpr int32_t kNone = -1;
// Up to this many candidates are ranked by counting, all against all.
constexpr int kMostRanked = 64;

// The newest event of every pixel, framed by `radius` empty pixels, and the one before each event
// at its pixel. Events count from the oldest one that can matter.
struct PixelLists {
  PixelLists(const EventGraph& g, int64_t events)
      : pitch(g.width + 2 * g.radius),
        newest(static_cast<size_t>(pitch) * (g.height + 2 * g.radius), kNone),
        previous(static_cast<size_t>(events)) {}

  int64_t place(const EventGraph& g, int32_t x, int32_t y) const {
    return int64_t{y + g.radius} * pitch + x + g.radius;
  }

  int64_t pitch;
  std::vector<int32_t> newest, previous;
};

struct Buffers {
  int32_t *candidates, *rank, *out;
};

template <class Target>
struct Heads {
  const EventGraph& graph;
  const PixelLists& lists;
  int32_t* heads;

  // The newest events of the disc around `place` that are not too old.
  LAMPYRIS_INLINE int collect(int64_t place, int32_t oldest) const {
    int count = 0;
    for (int dy = -graph.radius; dy <= graph.radius; ++dy) {
      const int span = graph.span[dy < 0 ? -dy : dy];
      const int32_t* line = lists.newest.data() + place + dy * lists.pitch - span;
      count += keep_recent(Target{}, line, 2 * span + 1, oldest, heads + count);
    }
    return count;
  }

  // The newest events of `count` lists that are not too old, graph.max_neighbours of them at most:
  // out[k] = now - event, newest first. -1 when it takes more than kMostRanked to rank them.
  LAMPYRIS_INLINE int merge(int count, int32_t oldest, int32_t now, const Buffers& buffers) const {
    int32_t* const candidates = buffers.candidates;
    const int limit = graph.max_neighbours;
    int found = 0;
    while (count > 0) {
      if (found + count > kMostRanked) {
        if (found < limit) return -1;
        // Only what is newer than the last of the newest so far still matters.
        rank_newest(Target{}, candidates, found, 0, limit, buffers.rank, buffers.out);
        for (int k = 0; k < limit; ++k) candidates[k] = -buffers.out[k];
        found = limit;
        oldest = candidates[limit - 1];
        count = keep_recent(Target{}, heads, count, oldest, heads);
        if (found + count > kMostRanked) return -1;
        continue;
      }
      const int left =
          step_back(Target{}, lists.previous.data(), heads, count, oldest, candidates + found);
      found += count;
      count = left;
    }
    return rank_newest(Target{}, candidates, found, now, limit, buffers.rank, buffers.out);
  }
};

struct EventRows {
  template <class Target>
  LAMPYRIS_INLINE static void run(const EventGraph& g, PixelLists* lists, const int32_t* x,
                                  const int32_t* y, const int64_t* t, int32_t warm, int32_t count,
                                  std::vector<int32_t>* back, int64_t* degree) {
    int32_t* const previous = lists->previous.data();
    std::vector<int32_t> memory(static_cast<size_t>(g.pixels() + kLanes));
    const Heads<Target> heads{g, *lists, memory.data()};
    alignas(64) int32_t candidates[kMostRanked + kLanes], rank[kMostRanked + kLanes];
    std::vector<int32_t> row(static_cast<size_t>(std::max(g.max_neighbours, kMostRanked)));
    int32_t* const out = row.data();
    int32_t oldest = 0;
    for (int32_t i = 0; i < count; ++i) {
      const int64_t place = lists->place(g, x[i], y[i]);
      if (i >= warm) {
        while (too_old(g, t[oldest], t[i])) ++oldest;
        int32_t found =
            heads.merge(heads.collect(place, oldest), oldest, i, {candidates, rank, out});
        if (found < 0) {
          int32_t* next = out;
          found = newest_events(
              SerialTeam{}, heads.heads, heads.collect(place, oldest), oldest, g.max_neighbours,
              [&](int32_t j) __attribute__((always_inline)) { return previous[j]; },
              [&](int32_t j) __attribute__((always_inline)) { *next++ = i - j; });
        }
        degree[i] = found;
        back->insert(back->end(), out, out + found);
      }
      previous[i] = lists->newest[static_cast<size_t>(place)];
      lists->newest[static_cast<size_t>(place)] = i;
    }
  }
};

}  // namespace

void event_graph_rows(const EventGraph& graph, const int32_t* x, const int32_t* y, const int64_t* t,
                      int64_t first, int64_t begin, int64_t end, std::vector<int32_t>& back,
                      int64_t* degree) {
  if (begin == end) return;
  const int64_t start =
      std::partition_point(t + first, t + begin,
                           [&](int64_t then) { return too_old(graph, then, t[begin]); }) -
      t;
  PixelLists lists(graph, end - start);
  dispatch<EventRows>(graph, &lists, x + start, y + start, t + start,
                      static_cast<int32_t>(begin - start), static_cast<int32_t>(end - start), &back,
                      degree + start);
}

void check_events(const EventGraph& graph, const int32_t* x, const int32_t* y, const int64_t* t,
                  const int64_t* ptr, int64_t recordings) {
  for (int64_t r = 0; r < recordings; ++r) {
    for (int64_t i = ptr[r]; i < ptr[r + 1]; ++i) {
      if (x[i] < 0 || x[i] >= graph.width) {
        fail("event_graph: x must be in [0, {}), got {} at [{}]", graph.width, x[i], i);
      }
      if (y[i] < 0 || y[i] >= graph.height) {
        fail("event_graph: y must be in [0, {}), got {} at [{}]", graph.height, y[i], i);
      }
      if (i > ptr[r] && t[i] < t[i - 1]) {
        fail("event_graph: t must not fall within a recording, got {} after {} at [{}]", t[i],
             t[i - 1], i);
      }
    }
  }
}

}  // namespace lampyris

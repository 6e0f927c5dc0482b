#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>

#include "core/error.h"
#include "cpu/dispatch.h"
#include "ops/event_graph/event_graph.h"

namespace lampyris {

namespace {

constexpr int32_t kNone = -1;
// Up to this many candidates are ranked by counting, all against all.
constexpr int kMostRanked = 64;
constexpr int kLanes = 16;

// Appends the events of line[0..count) that are not below `oldest` and gives how many; up to kLanes
// are written behind them.
template <class Any>
LAMPYRIS_INLINE int keep_recent(Any, const int32_t* line, int count, int32_t oldest,
                                int32_t* out) {
  int kept = 0;
  for (int i = 0; i < count; ++i) {
    out[kept] = line[i];
    kept += line[i] >= oldest;
  }
  return kept;
}

// How many of events[0..count), filled up to kLanes with -1, are newer than `event`.
template <class Any>
LAMPYRIS_INLINE int32_t newer_than(Any, const int32_t* events, int count, int32_t event) {
  int32_t newer = 0;
  for (int i = 0; i < count; ++i) newer += events[i] > event;
  return newer;
}

#if defined(__x86_64__)
LAMPYRIS_TARGET_AVX512 inline int keep_recent(Avx512, const int32_t* line, int count,
                                                       int32_t oldest, int32_t* out) {
  int kept = 0;
  for (int i = 0; i < count; i += kLanes) {
    const auto lanes = static_cast<__mmask16>(count - i < kLanes ? (1 << (count - i)) - 1 : 0xFFFF);
    const __m512i events = _mm512_maskz_loadu_epi32(lanes, line + i);
    const __mmask16 recent = _mm512_mask_cmpge_epi32_mask(lanes, events, _mm512_set1_epi32(oldest));
    _mm512_storeu_si512(out + kept, _mm512_maskz_compress_epi32(recent, events));
    kept += __builtin_popcount(recent);
  }
  return kept;
}

LAMPYRIS_TARGET_AVX512 inline int32_t newer_than(Avx512, const int32_t* events, int count,
                                                          int32_t event) {
  int32_t newer = 0;
  for (int i = 0; i < count; i += kLanes) {
    newer += __builtin_popcount(_mm512_cmpgt_epi32_mask(_mm512_loadu_si512(events + i),
                                                        _mm512_set1_epi32(event)));
  }
  return newer;
}
#endif

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

  // Every event of `count` lists that is not too old, or -1 when they are more than kMostRanked.
  LAMPYRIS_INLINE int unroll(int count, int32_t oldest, int32_t* candidates) const {
    int found = 0;
    while (count > 0) {
      if (found + count > kMostRanked) return -1;
      int left = 0;
      for (int i = 0; i < count; ++i) {
        const int32_t event = heads[i], before = lists.previous[static_cast<size_t>(event)];
        candidates[found++] = event;
        heads[left] = before;
        left += before >= oldest;
      }
      count = left;
    }
    return found;
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
    alignas(64) int32_t candidates[kMostRanked + kLanes];
    std::vector<int32_t> row(static_cast<size_t>(std::max(g.max_neighbours, kMostRanked)));
    int32_t* const out = row.data();
    int32_t oldest = 0;
    for (int32_t i = 0; i < count; ++i) {
      const int64_t place = lists->place(g, x[i], y[i]);
      if (i >= warm) {
        while (too_old(g, t[oldest], t[i])) ++oldest;
        int32_t found = heads.unroll(heads.collect(place, oldest), oldest, candidates);
        if (found >= 0) {
          for (int b = 0; b < kLanes; ++b) candidates[found + b] = -1;
          for (int a = 0; a < found; ++a) {
            out[newer_than(Target{}, candidates, found, candidates[a])] = i - candidates[a];
          }
          found = std::min(found, g.max_neighbours);
        } else {
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

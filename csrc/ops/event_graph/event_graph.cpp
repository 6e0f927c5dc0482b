#include <tuple>

#include "core/csr.h"
#include "ops/event_graph/event_graph_front.h"

namespace lampyris {

namespace {

constexpr int64_t kGrainEvents = 1 << 14;

// Events [begin, end) of one recording, built by one thread.
struct Piece {
  int64_t first, begin, end;
  std::vector<int32_t> back;
};

std::vector<Piece> pieces(const int64_t* ptr, int64_t recordings) {
  std::vector<Piece> out;
  for (int64_t r = 0; r < recordings; ++r) {
    for (int64_t begin = ptr[r]; begin < ptr[r + 1]; begin += kGrainEvents) {
      out.push_back({ptr[r], begin, std::min(begin + kGrainEvents, ptr[r + 1]), {}});
    }
  }
  return out;
}

// (row_ptr [E + 1], col [edges])
std::tuple<Tensor, Tensor> event_graph(Tensor x, Tensor y, Tensor t, Tensor recording_ptr,
                                       int64_t width, int64_t height, double radius,
                                       int64_t time_radius, int64_t max_neighbours) {
  const EventGraph graph = check_event_graph(x, y, t, recording_ptr, width, height, radius,
                                             time_radius, max_neighbours);
  const int64_t events = x.size(0), recordings = recording_ptr.size(0) - 1;
  const Tensor columns = torch::stable::contiguous(x), rows = torch::stable::contiguous(y),
               times = torch::stable::contiguous(t), ptr = torch::stable::contiguous(recording_ptr);
  const auto* const px = columns.const_data_ptr<int32_t>();
  const auto* const py = rows.const_data_ptr<int32_t>();
  const auto* const pt = times.const_data_ptr<int64_t>();
  const auto* const groups = ptr.const_data_ptr<int64_t>();
  check_pointers("event_graph", "recording_ptr", groups, recordings, events);
  check_events(graph, px, py, pt, groups, recordings);

  const Tensor row_ptr = empty({events + 1}, ScalarType::Long, x);
  int64_t* const place = row_ptr.mutable_data_ptr<int64_t>();
  std::vector<Piece> work = pieces(groups, recordings);
  const auto count = static_cast<int64_t>(work.size());
  torch::stable::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Piece& piece = work[static_cast<size_t>(i)];
      event_graph_rows(graph, px, py, pt, piece.first, piece.begin, piece.end, piece.back, place + 1);
    }
  });
  place[0] = 0;
  for (int64_t i = 0; i < events; ++i) place[i + 1] += place[i];

  const Tensor col = empty({place[events]}, ScalarType::Long, x);
  int64_t* const out = col.mutable_data_ptr<int64_t>();
  torch::stable::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Piece& piece = work[static_cast<size_t>(i)];
      const int32_t* back = piece.back.data();
      for (int64_t event = piece.begin; event < piece.end; ++event) {
        for (int64_t e = place[event]; e < place[event + 1]; ++e) out[e] = event - *back++;
      }
    }
  });
  return {row_ptr, col};
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // x, y [E] int32, t [E] int64, recording_ptr [R + 1]; returns (row_ptr [E + 1], col [edges]).
  m.def(
      "event_graph(Tensor x, Tensor y, Tensor t, Tensor recording_ptr, int width, int height, float "
      "radius, int time_radius, int max_neighbours) -> (Tensor, Tensor)");
  // CUDA: degrees [E] without row_ptr, else col [edges]; events in order of (recording, pixel, time).
  m.def(
      "_event_graph_merge(Tensor x, Tensor y, Tensor t, Tensor recording, Tensor order, Tensor "
      "key_ptr, Tensor? row_ptr, int edges, int width, int height, float radius, int time_radius, int "
      "max_neighbours) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CPU, m) { m.impl("event_graph", TORCH_BOX(&event_graph)); }

}  // namespace lampyris

#include "ops/cuda_stream.h"
#include "ops/event_graph/event_graph_front.h"

namespace lampyris {

namespace {

// Without row_ptr the degrees [E], with it the neighbours [edges]. recording [E], order [E] and
// key_ptr [K + 1] as in EventGraphCuda, int64; values checked by the caller.
Tensor event_graph_merge(Tensor x, Tensor y, Tensor t, Tensor recording, Tensor order,
                         Tensor key_ptr, std::optional<Tensor> row_ptr, int64_t edges,
                         int64_t width, int64_t height, double radius, int64_t time_radius,
                         int64_t max_neighbours) {
  const EventGraph graph = check_event_graph(x, y, t, key_ptr, width, height, radius, time_radius,
                                             max_neighbours);
  const OnDevice device(x);
  const EventGraphCuda job{graph,
                           x.const_data_ptr<int32_t>(),
                           y.const_data_ptr<int32_t>(),
                           t.const_data_ptr<int64_t>(),
                           recording.const_data_ptr<int64_t>(),
                           order.const_data_ptr<int64_t>(),
                           key_ptr.const_data_ptr<int64_t>(),
                           x.size(0),
                           key_ptr.size(0) - 1};
  const Tensor out =
      empty({row_ptr.has_value() ? edges : x.size(0)}, ScalarType::Long, x);
  int64_t* const result = out.mutable_data_ptr<int64_t>();
  if (row_ptr.has_value()) {
    event_graph_cuda(job, nullptr, row_ptr->const_data_ptr<int64_t>(), result, device.stream());
  } else {
    event_graph_cuda(job, result, nullptr, nullptr, device.stream());
  }
  return out;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lampyris, CUDA, m) {
  m.impl("_event_graph_merge", TORCH_BOX(&event_graph_merge));
}

}  // namespace lampyris

#include "cpu/pages.h"
#include "ops/ilif/ilif_front.h"

namespace lampyris {

namespace {

constexpr int64_t kGrainNeuronSteps = 1 << 15;

template <class Arguments, class Range>
void over_blocks(const Arguments& a, const Range& range) {
  const int64_t blocks = (a.neurons + kLifBlock - 1) / kLifBlock;
  const int64_t grain = std::max<int64_t>(1, kGrainNeuronSteps / (kLifBlock * a.steps));
  torch::stable::parallel_for(0, blocks, grain, range);
}

struct IlifCpu {
  template <typename X>
  static void forward(LifForward<X> a, const Tensor&) {
    a.stream = prepare_rows(a.spikes, a.steps, a.neurons * static_cast<int64_t>(sizeof(X)));
    over_blocks(a, [&](int64_t begin, int64_t end) { ilif_forward_blocks(a, begin, end); });
  }

  template <typename X>
  static void backward(LifBackward<X> a, const Tensor&) {
    if (a.state != nullptr) {
      over_blocks(a, [&](int64_t begin, int64_t end) { ilif_backward_blocks(a, begin, end); });
      return;
    }
    a.stream = prepare_rows(a.grad_x, a.steps, a.neurons * static_cast<int64_t>(sizeof(X)));
    a.width = a.threshold;
    over_blocks(a, [&](int64_t begin, int64_t end) { lif_backward_blocks(a, begin, end); });
  }

  template <typename X>
  static void expand(const X* counts, int64_t steps, int64_t neurons, int64_t max_spikes, X* out,
                     const Tensor&) {
    const int64_t grain = std::max<int64_t>(1, kGrainNeuronSteps / neurons);
    torch::stable::parallel_for(0, steps * max_spikes, grain, [&](int64_t begin, int64_t end) {
      ilif_expand_rows(counts, neurons, max_spikes, out, begin, end);
    });
  }

  static void repack(const uint32_t*, const SpikeShape&, uint32_t*, const Tensor&) {}
};

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // x [T, ...]; v_init x.shape[1:]; decay, threshold, gain broadcastable to x.shape[1:], else values
  // = (decay, threshold, gain); save by LifSave. Returns counts [T, ...], membrane x.shape[1:], codes
  // [ceil(T / 4), ...], state [T, ...].
  m.def(
      "ilif(Tensor x, Tensor? v_init, Tensor? decay, Tensor? threshold, Tensor? gain, "
      "float[] values, int max_spikes, int save) -> (Tensor, Tensor, Tensor?, Tensor?)");
  m.def(
      "_ilif_backward(Tensor? grad_counts, Tensor? grad_membrane, Tensor? x, Tensor? codes, "
      "Tensor? state, Tensor? v_init, Tensor? decay, Tensor? threshold, Tensor? gain, "
      "float[] values, int max_spikes, SymInt steps, ScalarType dtype, bool[] wanted) "
      "-> (Tensor, Tensor?, Tensor?, Tensor?, Tensor?)");
  // counts [T, ...] -> [T max_spikes, ...]
  m.def("ilif_expand(Tensor counts, int max_spikes) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CPU, m) {
  m.impl("ilif", TORCH_BOX(&ilif<IlifCpu>));
  m.impl("_ilif_backward", TORCH_BOX(&ilif_backward<IlifCpu>));
  m.impl("ilif_expand", TORCH_BOX(&ilif_expand<IlifCpu>));
}

}  // namespace lampyris

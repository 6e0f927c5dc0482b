#include "cpu/pages.h"
#include "ops/lif/lif_front.h"

namespace lampyris {

namespace {

constexpr int64_t kGrainNeuronSteps = 1 << 15;

int64_t grain(int64_t steps) {
  return std::max<int64_t>(1, kGrainNeuronSteps / (kLifBlock * steps));
}

struct Cpu {
  template <typename X>
  static void forward(LifForward<X> a, const Tensor&) {
    a.stream = streams(a.spikes, a);
    streams(a.state, a);
    if (a.membrane_out == MembraneOut::kTrace) streams(a.membrane, a);
    const int64_t blocks = (a.neurons + kLifBlock - 1) / kLifBlock;
    torch::stable::parallel_for(0, blocks, grain(a.steps), [&](int64_t begin, int64_t end) {
      lif_forward_blocks(a, begin, end);
    });
  }

  template <typename X>
  static void backward(LifBackward<X> a, const Tensor&) {
    a.stream = streams(a.grad_x, a);
    const int64_t blocks = (a.neurons + kLifBlock - 1) / kLifBlock;
    torch::stable::parallel_for(0, blocks, grain(a.steps), [&](int64_t begin, int64_t end) {
      lif_backward_blocks(a, begin, end);
    });
  }

  // Whether [T, N] results go past the caches.
  template <typename V, class Rule>
  static bool streams(V* to, const Rule& a) {
    return prepare_rows(to, a.steps, a.neurons * static_cast<int64_t>(sizeof(V)));
  }

  static void repack(const uint32_t* plane, const SpikeShape& s, uint32_t* words, const Tensor&) {
    torch::stable::parallel_for(0, s.rows * s.outer, 1, [&](int64_t begin, int64_t end) {
      repack_plane(plane, s, words, begin, end);
    });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // x [T, ...]; v_init x.shape[1:]; decay, threshold, gain, width broadcastable to x.shape[1:],
  // else values = (decay, threshold, gain, width, v_reset). options = (reset, detach_reset,
  // inclusive, surrogate, rounding, packed, membrane, save) by the enums of lif_tensors.h. Returns
  // spikes [T, ...] (a carrier when packed), membrane x.shape[1:] or [T, ...], codes [ceil(T / 4),
  // ...], state [T, ...], words.
  m.def(
      "lif(Tensor x, Tensor? v_init, Tensor? decay, Tensor? threshold, Tensor? gain, "
      "Tensor? width, float[] values, int[] options) "
      "-> (Tensor, Tensor?, Tensor?, Tensor?, Tensor?)");
  // One of codes and state, in the memory order of x; x where it is read; derivative [T, ...] of a
  // surrogate without formula. wanted: gradients of v_init, decay, threshold, gain, each per neuron
  // in shape x.shape[1:]. dtype is x's.
  m.def(
      "_lif_backward(Tensor? grad_spikes, Tensor? grad_membrane, Tensor? x, Tensor? codes, "
      "Tensor? state, Tensor? derivative, Tensor? v_init, Tensor? decay, Tensor? threshold, "
      "Tensor? gain, Tensor? width, float[] values, int[] options, SymInt steps, "
      "ScalarType dtype, bool[] wanted) -> (Tensor, Tensor?, Tensor?, Tensor?, Tensor?)");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CPU, m) {
  m.impl("lif", TORCH_BOX(&lif<Cpu>));
  m.impl("_lif_backward", TORCH_BOX(&lif_backward<Cpu>));
}

}  // namespace lampyris

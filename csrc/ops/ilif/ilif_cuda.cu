// One thread a neuron, coalesced over N; the membrane stays in a register over T. Bytes of device
// memory a neuron-step in float32: forward 4 (x) + 4 (counts) + 0.25 (codes), backward 4 + 0.25 + 4.
#include "ops/ilif/ilif_neuron.h"
#include "ops/launch.cuh"

namespace lampyris {

namespace {

template <typename X>
__global__ void __launch_bounds__(kBlockThreads) forward_kernel(const LifForward<X> a) {
  const int64_t n = global_thread();
  if (n < a.neurons) ilif_forward_neuron(a, n);
}

template <typename X>
__global__ void __launch_bounds__(kBlockThreads) backward_kernel(const LifBackward<X> a) {
  const int64_t n = global_thread();
  if (n < a.neurons) ilif_backward_neuron(a, n);
}

template <typename X>
__global__ void __launch_bounds__(kBlockThreads)
    expand_kernel(const X* counts, int64_t elements, int64_t neurons, int64_t max_spikes, X* out) {
  using T = Compute<X>;
  const int64_t i = global_thread();
  if (i >= elements) return;
  const T count = widen(counts[i]);
  X* const to = out + i / neurons * max_spikes * neurons + i % neurons;
  for (int64_t d = 0; d < max_spikes; ++d) {
    to[d * neurons] = narrow<X>(count > static_cast<T>(d) ? T(1) : T(0));
  }
}

}  // namespace

template <typename X>
void ilif_forward_cuda(const LifForward<X>& a, CUstream_st* stream) {
  forward_kernel<X><<<blocks_for(a.neurons), kBlockThreads, 0, stream>>>(a);
  check_launch("ilif");
}

template <typename X>
void ilif_backward_cuda(const LifBackward<X>& a, CUstream_st* stream) {
  backward_kernel<X><<<blocks_for(a.neurons), kBlockThreads, 0, stream>>>(a);
  check_launch("_ilif_backward");
}

template <typename X>
void ilif_expand_cuda(const X* counts, int64_t steps, int64_t neurons, int64_t max_spikes, X* out,
                      CUstream_st* stream) {
  const int64_t elements = steps * neurons;
  expand_kernel<X><<<blocks_for(elements), kBlockThreads, 0, stream>>>(counts, elements, neurons,
                                                                       max_spikes, out);
  check_launch("ilif_expand");
}

#define LAMPYRIS_ILIF(X)                                                                        \
  template void ilif_forward_cuda(const LifForward<X>&, CUstream_st*);                          \
  template void ilif_backward_cuda(const LifBackward<X>&, CUstream_st*);                        \
  template void ilif_expand_cuda(const X*, int64_t, int64_t, int64_t, X*, CUstream_st*)
LAMPYRIS_ILIF(float);
LAMPYRIS_ILIF(double);
LAMPYRIS_ILIF(BFloat16);
LAMPYRIS_ILIF(Float16);
#undef LAMPYRIS_ILIF

}  // namespace lampyris

#include "cpu/isa.h"
#include "cpu/kernel_log.h"
#include "cpu/spike_sums.h"
#include "ops/spike_conv2d/spike_conv2d_event.h"
#include "ops/spike_conv2d/spike_conv2d_int8_front.h"
#include "ops/spike_conv_lif/spike_conv_lif_front.h"

namespace lampyris {

namespace {

struct Cpu {
  static void run(SpikeConvLif a, const Tensor& like) {
    // One value a channel each: the loop over channels loads them like the currents.
    const auto channels = static_cast<size_t>(a.conv.out_channels);
    std::vector<float> decay(channels), threshold(channels), gain(channels),
        scale(channels);
    fill(a.decay, decay);
    fill(a.threshold, threshold);
    fill(a.gain, gain);
    fill(a.scale, scale);
    if (a.form == CurrentForm::kFloat) return run_float(a, like);
    const SpikeSums s = spike_sums_of(a.conv);
    const double density = spike_density(s, a.words, a.conv.images);
    const SumsKernel kernel = choose_sums_kernel(s, density);
    note_kernel(kConvLif, sums_kernel_name(kernel), density);
    SpikeWeights weights(s, kernel);
    const auto* weight = static_cast<const int8_t*>(a.weight);
    torch::stable::parallel_for(0, weights.parts(), 1, [&](int64_t begin, int64_t end) {
      weights.pack(weight, begin, end);
    });
    tiles(a, &weights, nullptr);
  }

  static void fill(ChannelValue& value, std::vector<float>& values) {
    for (size_t c = 0; c < values.size(); ++c) values[c] = value.at(static_cast<int64_t>(c));
    value.values = values.data();
  }

  static void run_float(const SpikeConvLif& a, const Tensor& like) {
    if (!events_fit(a.conv)) {
      note_kernel(kConvLif, "plain", -1);
      return tiles(a, nullptr, nullptr);
    }
    const Tensor packed = empty({event_weights(a.conv)}, ScalarType::Float, like);
    float* rows = packed.mutable_data_ptr<float>();
    pack_event_weights(a.conv, static_cast<const float*>(a.weight), rows, 0,
                       a.conv.groups * EventBlocks(a.conv.group_out()).count);
    note_kernel(kConvLif, text("event float32 {}", isa_name(isa())), -1);
    tiles(a, nullptr, rows);
  }

  static void tiles(const SpikeConvLif& a, const SpikeWeights* int8, const float* rows) {
    torch::stable::parallel_for(
        0, spike_conv_lif_tiles(a), 1,
        [&](int64_t begin, int64_t end) { spike_conv_lif(a, int8, rows, begin, end); });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // words [T, B, H, W, ceil(C / 32)], carrier [T, B, C, H, W], weight [Co, C / groups, kh, kw],
  // bias, decay, threshold, gain, scale [Co], residual [T, B, Co, H', W'], v_init [B, Co, H', W'];
  // values = (decay, threshold, gain, scale, v_reset). Returns carrier [T, B, Co, H', W'], words,
  // membrane [B, Co, H', W'], currents [T, B, Co, H', W'].
  m.def(
      "spike_conv_lif(Tensor words, Tensor carrier, Tensor weight, Tensor? bias, Tensor? residual, "
      "Tensor? v_init, Tensor? decay, Tensor? threshold, Tensor? gain, Tensor? scale, "
      "float[] values, str reset, bool inclusive, bool scaled, int shift, int stride, int padding, "
      "int groups, bool stream, bool membrane) -> (Tensor, Tensor, Tensor?, Tensor?)");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CPU, m) {
  m.impl("spike_conv_lif", TORCH_BOX(&spike_conv_lif_op<Cpu>));
}

}  // namespace lampyris

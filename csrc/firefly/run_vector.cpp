// MAXPOOL and UPSAMPLE: values are copied or compared, never computed.
#include <algorithm>
#include <cstring>

#include "firefly/area.h"
#include "firefly/datapath.h"

namespace lampyris::firefly {

namespace {

// Spikes: a pixel is a word of P bits, the maximum is OR.
struct Spikes {
  static void pool(uint8_t* out, const uint8_t* in, int64_t bytes) {
    for (int64_t i = 0; i < bytes; ++i) out[i] |= in[i];
  }
};

// Streams: P int16 lanes.
struct Streams {
  static void pool(uint8_t* out, const uint8_t* in, int64_t bytes) {
    auto* a = reinterpret_cast<int16_t*>(out);
    auto* b = reinterpret_cast<const int16_t*>(in);
    for (int64_t i = 0; i < bytes / 2; ++i) a[i] = std::max(a[i], b[i]);
  }
};

template <class Values>
void run_block(const Command& c, const uint8_t* in, uint8_t* out, int64_t pixel) {
  const bool up = c.op == Op::kUpsample;
  for (int y = 0; y < c.out_h; ++y) {
    for (int x = 0; x < c.out_w; ++x, out += pixel) {
      const int64_t sy = up ? y / c.stride : y * c.stride, sx = up ? x / c.stride : x * c.stride;
      const uint8_t* first = in + (sy * c.in_w + sx) * pixel;
      std::memcpy(out, first, static_cast<size_t>(pixel));
      for (int ky = 0; ky < c.kernel; ++ky)
        for (int kx = 0; kx < c.kernel; ++kx)
          if (ky + kx != 0) Values::pool(out, first + (int64_t{ky} * c.in_w + kx) * pixel, pixel);
    }
  }
}

}  // namespace

void run_vector(const Command& c, int parallelism, std::span<uint8_t> memory) {
  for (int t = 0; t < c.steps; ++t) {
    for (int tile = 0; tile < c.co_tiles; ++tile) {
      const uint8_t* in = memory.data() + area_block(c.source, t, tile);
      if (c.spikes_out)
        run_block<Spikes>(c, in, memory.data() + area_block(c.spikes, t, tile),
                          spike_pixel_bytes(parallelism));
      else
        run_block<Streams>(c, in, memory.data() + area_block(c.stream, t, tile),
                           stream_pixel_bytes(parallelism));
    }
  }
}

}  // namespace lampyris::firefly

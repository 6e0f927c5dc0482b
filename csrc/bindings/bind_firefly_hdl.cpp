// Slices, chains and Verilog of the arrays, for HDL benches.
#include "bindings/firefly_arrays.h"
#include "firefly/column_vectors.h"
#include "firefly/dsp_chain.h"
#include "firefly/packing.h"
#include "firefly/verilog_column.h"

namespace lampyris {

namespace {

using namespace firefly;

Simd parse_simd(const std::string& text) {
  if (text == "FOUR12") return Simd::kFour12;
  if (text == "TWO24") return Simd::kTwo24;
  if (text == "ONE48") return Simd::kOne48;
  fail("dsp slice: simd must be FOUR12, TWO24 or ONE48, got \"{}\"", text);
}

// Columns of `ports`: a, b, c, pcin, opmode, enables (4 bits), resets (4 bits); bit 0 is A:B, then
// C, control, P. Returns P behind every edge.
Array<uint64_t> run_slice(const std::string& simd, const Array<uint64_t>& ports) {
  constexpr int kColumns = 7;
  if (ports.ndim() != 2 || ports.shape(1) != kColumns)
    fail("dsp slice: ports must have shape [n, {}]", kColumns);
  DspSlice slice(parse_simd(simd));
  Array<uint64_t> out(ports.shape(0));
  for (py::ssize_t n = 0; n < ports.shape(0); ++n) {
    const uint64_t* row = ports.data(n, 0);
    SlicePorts in;
    in.a = static_cast<uint32_t>(row[0]), in.b = static_cast<uint32_t>(row[1]);
    in.c = row[2], in.pcin = row[3], in.opmode = static_cast<int>(row[4]);
    in.enable_ab = row[5] & 1, in.enable_c = row[5] & 2;
    in.enable_control = row[5] & 4, in.enable_p = row[5] & 8;
    in.reset_ab = row[6] & 1, in.reset_c = row[6] & 2;
    in.reset_control = row[6] & 4, in.reset_p = row[6] & 8;
    slice.clock(in);
    out.mutable_at(n) = slice.p();
  }
  return out;
}

// weights [n, length, 2, 4]: of the first spike (A:B) and of the second (C). Returns [n, length].
Array<uint64_t> run_chain(const std::string& form, const Array<uint32_t>& spikes,
                          const Array<int8_t>& weights, const Array<bool>& load) {
  if (form != "w" && form != "y") fail("dsp chain: form must be w or y, got \"{}\"", form);
  const py::ssize_t n = spikes.size();
  if (weights.ndim() != 4 || weights.shape(0) != n || weights.shape(2) != 2 ||
      weights.shape(3) != kSliceLanes || load.size() != n)
    fail("dsp chain: weights must have shape [{}, length, 2, 4] and load [{}]", n, n);
  const py::ssize_t length = weights.shape(1);
  constexpr py::ssize_t kMostSlices = 16;  // two spikes each in 32 bits
  if (length < 1 || length > kMostSlices)
    fail("dsp chain: length must be 1 to {}, got {}", kMostSlices, length);
  DspChain chain(form == "w" ? SliceForm::kPaperW : SliceForm::kReleasedY,
                 static_cast<int>(length));
  std::vector<DspChain::Pair> pairs(static_cast<size_t>(length));
  Array<uint64_t> out({n, length});
  for (py::ssize_t i = 0; i < n; ++i) {
    for (py::ssize_t k = 0; k < length; ++k) {
      const int8_t* w = weights.data(i, k, 0, 0);
      DspChain::Pair& pair = pairs[static_cast<size_t>(k)];
      std::copy_n(w, kSliceLanes, pair.ab.begin());
      std::copy_n(w + kSliceLanes, kSliceLanes, pair.c.begin());
    }
    chain.clock(spikes.at(i), load.at(i) ? pairs.data() : nullptr);
    for (py::ssize_t k = 0; k < length; ++k)
      out.mutable_at(i, k) = chain.p(static_cast<int>(k));
  }
  return out;
}

template <class T>
py::array copy(const std::vector<T>& values, py::ssize_t columns = 0) {
  const auto n = static_cast<py::ssize_t>(values.size());
  if (columns == 0) return py::array_t<T>(n, values.data());
  return py::array_t<T>({n / columns, columns}, values.data());
}

Config array_config(int parallelism, const std::string& datapath) {
  check_parallelism("column", parallelism);
  Config config = preset_config("zcu104", parallelism);
  config.datapath = parse_datapath("column", datapath);
  if (config.datapath == Datapath::kFunctional)
    fail("column: datapath must be cascade or tree, got \"functional\"");
  return config;
}

// weight [Co, Ci, 3, 3], spikes [T, Ci, H, W].
py::dict column_vectors(const Array<int8_t>& weight, const Array<int16_t>& bias,
                        const Array<bool>& spikes, int32_t threshold, const std::string& leak,
                        bool winner, int parallelism, const std::string& datapath) {
  const Config config = array_config(parallelism, datapath);
  const WeightView w = weight_view("column", weight);
  if (w.kernel_h != 3 || w.kernel_w != 3) fail("column: weight must have shape [Co, Ci, 3, 3]");
  if (spikes.ndim() != 4 || spikes.shape(1) != w.in)
    fail("column: spikes must have shape [T, {}, H, W]", w.in);
  if (bias.size() != w.out) fail("column: bias must have shape [{}]", w.out);
  const int p = parallelism;
  V1Command c;
  c.ci_tiles = tile_count(w.in, p), c.co_tiles = tile_count(w.out, p);
  c.steps = static_cast<int>(spikes.shape(0));
  c.height = static_cast<int>(spikes.shape(2)), c.width = static_cast<int>(spikes.shape(3));
  const Leak kind = parse_leak("column", leak);
  if (kind == Leak::kBefore) fail("column: leak must be one of the released kinds, got before");
  c.leak = kind != Leak::kNone, c.every_pass = kind == Leak::kEveryPass;
  c.winner = winner, c.theta = threshold;
  const size_t words = static_cast<size_t>(spikes.shape(0) * c.ci_tiles * c.height * c.width);
  const size_t bytes = words * static_cast<size_t>(p / 8);
  const size_t out_bytes = bytes / static_cast<size_t>(c.ci_tiles * c.steps);
  std::vector<uint8_t> memory(bytes + out_bytes);
  c.output.base = static_cast<uint32_t>(bytes);  // all tiles and steps in one place: not read
  c.bias_bytes = static_cast<uint32_t>(2 * c.co_tiles * p);
  const auto s = spikes.unchecked<4>();
  for (py::ssize_t t = 0; t < s.shape(0); ++t)
    for (py::ssize_t i = 0; i < s.shape(1); ++i)
      for (py::ssize_t y = 0; y < s.shape(2); ++y)
        for (py::ssize_t x = 0; x < s.shape(3); ++x) {
          if (!s(t, i, y, x)) continue;
          const py::ssize_t pixel = ((t * c.ci_tiles + i / p) * c.height + y) * c.width + x;
          const size_t bit = static_cast<size_t>(pixel * p + i % p);
          memory[bit / 8] |= static_cast<uint8_t>(1 << bit % 8);
        }
  const std::vector<uint8_t> packed = pack_weights(view(weight), w.out, w.in, kTaps, p);
  std::vector<int16_t> padded(static_cast<size_t>(c.co_tiles * p));
  std::copy_n(bias.data(), bias.size(), padded.begin());
  const ColumnVectors v = record_column(
      c, config, {reinterpret_cast<const int8_t*>(packed.data()), packed.size()}, padded, memory);
  py::dict d;
  d["windows"] = copy(v.windows, kTaps), d["valid"] = copy(v.valid), d["load"] = copy(v.load);
  d["sum_valid"] = copy(v.sum_valid), d["sums"] = copy(v.sums, p);
  d["done"] = copy(v.done), d["last"] = copy(v.last), d["fired"] = copy(v.fired);
  d["membrane"] = copy(v.membrane, p), d["bias"] = copy(padded);
  d["weights"] = py::array_t<int8_t>({py::ssize_t{c.co_tiles} * c.ci_tiles,
                                      py::ssize_t{kTaps} * p, py::ssize_t{p}},
                                     reinterpret_cast<const int8_t*>(packed.data()));
  return d;
}

}  // namespace

void bind_firefly_hdl(py::module_& m) {
  m.def("dsp_slice", &run_slice, py::arg("simd"), py::arg("ports"));
  m.def("dsp_chain", &run_chain, py::arg("form"), py::arg("spikes"), py::arg("weights"),
        py::arg("load"));
  m.def(
      "column_verilog",
      [](int parallelism, const std::string& datapath, int lanes, int depth) {
        return emit_column(array_config(parallelism, datapath), lanes, depth);
      },
      py::arg("parallelism"), py::arg("datapath"), py::arg("lanes"), py::arg("depth"));
  m.def("column_vectors", &column_vectors, py::arg("weight"), py::arg("bias"), py::arg("spikes"),
        py::arg("threshold"), py::arg("leak"), py::arg("winner"), py::arg("parallelism"),
        py::arg("datapath"));
}

}  // namespace lampyris

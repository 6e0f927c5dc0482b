// lampyris._native.firefly: the accelerator model, its builder and its driver.
#include "bindings/firefly_arrays.h"
#include "firefly/config.h"
#include "firefly/resources.h"
#include "firefly/shape_timing.h"
#include "firefly/timing.h"

namespace lampyris {

namespace {

using namespace firefly;

py::dict cycles_dict(const CommandCycles& c) {
  py::dict d;
  d["compute"] = c.compute, d["reload"] = c.reload, d["flush"] = c.flush;
  d["weights"] = c.weights, d["input"] = c.input, d["residual"] = c.residual;
  d["output"] = c.output, d["memory"] = c.memory, d["bias"] = c.bias, d["fill"] = c.fill;
  d["latency"] = c.latency, d["stall_weights"] = c.stall_weights;
  d["stall_input"] = c.stall_input, d["stall_residual"] = c.stall_residual;
  d["stall_output"] = c.stall_output, d["stall_memory"] = c.stall_memory;
  d["stall"] = c.stall, d["total"] = c.total, d["bytes"] = c.bytes;
  d["weight_bytes"] = c.weight_bytes, d["dense_ops"] = c.dense_ops;
  return d;
}

py::dict timing_dict(const Timing& t) {
  py::list layers;
  for (const LayerTiming& layer : t.layers) {
    py::dict row;
    row["name"] = layer.name, row["op"] = layer.op, row["commands"] = layer.commands;
    row["cycles"] = cycles_dict(layer.cycles);
    layers.append(row);
  }
  py::dict d;
  d["preset"] = t.config.preset, d["parallelism"] = t.config.parallelism;
  d["cores"] = t.config.cores, d["clock_hz"] = t.config.clock_hz, d["watts"] = t.config.watts;
  d["weight_bus_bytes"] = t.config.weight_bus_bytes;
  d["layers"] = layers, d["total"] = cycles_dict(t.total);
  d["frames_per_second"] = t.frames_per_second();
  d["operations_per_second"] = t.operations_per_second();
  d["peak_operations_per_second"] = t.peak_operations_per_second();
  return d;
}

py::dict timing(const std::string& plan_json, const std::vector<TensorTuple>& tensors,
                const std::string& preset, const std::string& config) {
  const Image image = to_image(plan_json, tensors);
  const Timing t = config.empty() ? image_timing(image, preset)
                                  : image_timing(image, config_from_json(config));
  return timing_dict(t);
}

// (linear, pool, in channels, out channels, height, width).
using ShapeTuple = std::tuple<bool, bool, int, int, int, int>;

py::tuple time_shapes(const std::vector<ShapeTuple>& tuples, int steps, const std::string& json) {
  const Config config = config_from_json(json);
  std::vector<V1Shape> shapes;
  std::vector<std::string> limits;
  for (const auto& [linear, pool, in, out, height, width] : tuples) {
    shapes.push_back({linear, pool, in, out, height, width});
    limits.push_back(shape_limit(shapes.back(), steps, config));
  }
  return py::make_tuple(timing_dict(shape_timing(shapes, steps, config)), limits);
}

py::dict resources(const std::string& json, bool extension) {
  const Resources r = resources_of(config_from_json(json), extension);
  py::list memories;
  for (const RamUse& use : r.memories) {
    py::dict row;
    row["name"] = use.name, row["depth"] = use.depth, row["width"] = use.width;
    row["copies"] = use.copies, row["kind"] = ram_name(use.kind), row["bits"] = use.bits();
    row["blocks"] = use.kind == RamKind::kBlock ? static_cast<double>(use.blocks) / 2
                                                : static_cast<double>(use.blocks);
    memories.append(row);
  }
  const Board& b = r.board;
  py::dict board, d;
  board["part"] = b.part, board["dsp"] = b.dsp, board["block_rams"] = b.block_rams;
  board["ultra_rams"] = b.ultra_rams, board["kilo_luts"] = b.kilo_luts;
  board["used_dsp"] = b.used_dsp, board["used_block_rams"] = b.used_block_rams;
  board["used_ultra_rams"] = b.used_ultra_rams, board["used_kilo_luts"] = b.used_kilo_luts;
  board["published_watts"] = b.published_watts;
  board["published_soc_watts"] = b.published_soc_watts;
  d["board"] = board, d["memories"] = memories, d["dsp"] = r.dsp;
  d["block_rams"] = r.block_rams, d["ultra_rams"] = r.ultra_rams, d["bits"] = r.bits;
  d["peak_operations_per_second"] = r.peak_operations_per_second();
  return d;
}

}  // namespace

void bind_firefly(py::module_& m) {
  bind_firefly_program(m);
  bind_firefly_device(m);
  bind_firefly_v1(m);
  bind_firefly_difference(m);
  bind_firefly_hdl(m);
  bind_firefly_boxes(m);
  m.def("timing", &timing, py::arg("plan_json"), py::arg("tensors"), py::arg("preset"),
        py::arg("config"));
  m.def("time_shapes", &time_shapes, py::arg("shapes"), py::arg("steps"), py::arg("config"));
  m.def("resources", &resources, py::arg("config"), py::arg("extension"));
  m.def("presets", &preset_names);
  m.def(
      "complete_config",
      [](const std::string& json) { return config_to_json(config_from_json(json)); },
      py::arg("json"));
  m.def(
      "check_program",
      [](const std::string& plan_json, const std::vector<TensorTuple>& tensors) {
        check_program(to_image(plan_json, tensors));
      },
      py::arg("plan_json"), py::arg("tensors"));
}

}  // namespace lampyris

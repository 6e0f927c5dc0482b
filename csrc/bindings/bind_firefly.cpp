// lampyris._native.firefly: the accelerator model, its builder and its driver.
#include "bindings/firefly_arrays.h"
#include "firefly/config.h"
#include "firefly/timing.h"

namespace lampyris {

namespace {

using namespace firefly;

py::dict cycles_dict(const CommandCycles& c) {
  py::dict d;
  d["compute"] = c.compute, d["reload"] = c.reload, d["flush"] = c.flush;
  d["weights"] = c.weights, d["input"] = c.input, d["residual"] = c.residual;
  d["output"] = c.output, d["memory"] = c.memory, d["bias"] = c.bias, d["fill"] = c.fill;
  d["latency"] = c.latency, d["stall"] = c.stall, d["total"] = c.total, d["bytes"] = c.bytes;
  d["dense_ops"] = c.dense_ops;
  return d;
}

py::dict timing(const std::string& plan_json, const std::vector<TensorTuple>& tensors,
                const std::string& preset) {
  const Timing t = image_timing(to_image(plan_json, tensors), preset);
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

}  // namespace

void bind_firefly(py::module_& m) {
  bind_firefly_program(m);
  bind_firefly_device(m);
  bind_firefly_v1(m);
  bind_firefly_difference(m);
  m.def("timing", &timing, py::arg("plan_json"), py::arg("tensors"), py::arg("preset"));
  m.def("presets", &preset_names);
  m.def(
      "check_program",
      [](const std::string& plan_json, const std::vector<TensorTuple>& tensors) {
        check_program(to_image(plan_json, tensors));
      },
      py::arg("plan_json"), py::arg("tensors"));
}

}  // namespace lampyris

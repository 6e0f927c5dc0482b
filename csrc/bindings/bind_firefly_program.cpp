// Program: the builder of ems images.
#include "bindings/firefly_arrays.h"

namespace lampyris {

namespace {

using namespace firefly;

Kind parse_kind(const std::string& name, const std::string& kind) {
  if (kind == "stream") return Kind::kStream;
  if (kind == "spikes") return Kind::kSpikes;
  fail("{}: kind must be \"stream\" or \"spikes\", got \"{}\"", name, kind);
}

NeuronSpec neuron_spec(const std::string& name, const Array<int32_t>& threshold,
                       const std::string& leak, int k, bool membrane) {
  const auto values = view(threshold);
  return {name, {values.begin(), values.end()}, parse_leak(name, leak), k, membrane};
}

std::string conv(Program& program, const std::string& name, const std::string& source,
                 const Array<int8_t>& weight, const Array<int16_t>& bias, int stride, int padding,
                 int shift, const std::string& residual, const std::optional<NeuronSpec>& neuron,
                 bool store_stream) {
  ConvSpec spec;
  spec.name = name, spec.source = source, spec.residual = residual;
  spec.weight = weight_view(name, weight), spec.bias = view(bias);
  spec.stride = stride, spec.padding = padding, spec.shift = shift;
  spec.neuron = neuron, spec.store_stream = store_stream;
  return program.conv(spec);
}

void host_stem(Program& program, const std::string& name, const Array<int8_t>& weight,
               const Array<int32_t>& bias, int stride, int padding, int shift,
               std::tuple<int, int, int> input_shape, int input_steps, int exponent) {
  StemSpec spec;
  spec.name = name, spec.weight = weight_view(name, weight), spec.bias = view(bias);
  spec.stride = stride, spec.padding = padding, spec.shift = shift, spec.exponent = exponent;
  std::tie(spec.channels, spec.height, spec.width) = input_shape;
  spec.steps = input_steps;
  program.host_stem(spec);
}

}  // namespace

void bind_firefly_program(py::module_& m) {
  py::class_<NeuronSpec>(m, "NeuronSpec")
      .def(py::init(&neuron_spec), py::arg("name"), py::arg("threshold"), py::arg("leak"),
           py::arg("k"), py::arg("membrane"));
  py::class_<Program>(m, "Program")
      .def(py::init<int, int, const std::string&>(), py::arg("parallelism"), py::arg("time_steps"),
           py::arg("preset"))
      .def("input",
           [](Program& p, const std::string& name, const std::string& kind, int c, int h, int w,
              int steps) { return p.input(name, parse_kind(name, kind), c, h, w, steps); })
      .def("neuron", &Program::neuron)
      .def("conv", &conv)
      .def("max_pool", &Program::max_pool)
      .def("upsample", &Program::upsample)
      .def("concat", &Program::concat)
      .def("output",
           [](Program& p, const std::string& name, const std::string& source,
              const Array<int8_t>& weight, const Array<int16_t>& bias) {
             return p.output(name, source, weight_view(name, weight), view(bias));
           })
      .def("host_stem", &host_stem)
      .def("host_output", &Program::host_output)
      .def("note", &Program::note)
      .def("shape",
           [](const Program& p, const std::string& name) {
             for (const Program::Map& map : p.maps())
               if (map.name == name)
                 return py::make_tuple(std::string(kind_name(map.kind)), map.steps, map.channels,
                                       map.height, map.width);
             fail("program: name must be a map of this program, got \"{}\"", name);
           })
      .def("build", [](const Program& p) {
        Image image;
        {
          py::gil_scoped_release release;
          image = p.build();
        }
        return from_image(image);
      });
}

}  // namespace lampyris

// V1Builder: images for the released accelerator.
#include "bindings/firefly_arrays.h"
#include "firefly/v1_builder.h"

namespace lampyris {

namespace {

using namespace firefly;

void layer(V1Builder& builder, const std::string& neuron, const std::string& pool,
           const std::string& kind, const Array<int8_t>& weight, const Array<int16_t>& bias,
           int32_t threshold, const std::string& leak, bool winner) {
  V1LayerSpec spec;
  spec.neuron = neuron, spec.pool = pool, spec.linear = kind == "linear";
  spec.weight = view(weight), spec.bias = view(bias);
  spec.out = static_cast<int>(weight.shape(0)), spec.in = static_cast<int>(weight.shape(1));
  spec.threshold = threshold;
  spec.leak = parse_leak(pool.empty() ? neuron : pool, leak);
  spec.winner = winner;
  builder.layer(spec);
}

void host_stem(V1Builder& builder, const std::string& name, const std::string& neuron,
               const Array<int8_t>& weight, const Array<int32_t>& bias, int stride, int padding,
               int shift, std::tuple<int, int, int> input_shape, int input_steps, int exponent,
               int32_t threshold, const std::string& leak) {
  StemSpec spec;
  spec.name = name, spec.weight = weight_view(name, weight), spec.bias = view(bias);
  spec.stride = stride, spec.padding = padding, spec.shift = shift, spec.exponent = exponent;
  std::tie(spec.channels, spec.height, spec.width) = input_shape;
  spec.steps = input_steps;
  builder.host_stem(spec, neuron, threshold, parse_leak(name, leak));
}

}  // namespace

void bind_firefly_v1(py::module_& m) {
  py::class_<V1Builder>(m, "V1Builder")
      .def(py::init([](int parallelism, std::tuple<int, int, int, int> shape,
                       const std::string& preset) {
             const auto [t, c, h, w] = shape;
             return V1Builder(parallelism, t, c, h, w, preset);
           }),
           py::arg("parallelism"), py::arg("input_shape"), py::arg("preset"))
      .def("layer", &layer)
      .def("host_stem", &host_stem)
      .def("host_output",
           [](V1Builder& b, const std::string& name, const Array<int8_t>& weight,
              const Array<int16_t>& bias, const std::vector<double>& step,
              const std::vector<std::string>& class_names) {
             b.host_output(name, weight_view(name, weight), view(bias), step, class_names);
           })
      .def("note", &V1Builder::note)
      .def("build", [](const V1Builder& b) {
        Image image;
        {
          py::gil_scoped_release release;
          image = b.build();
        }
        return from_image(image);
      });
}

}  // namespace lampyris

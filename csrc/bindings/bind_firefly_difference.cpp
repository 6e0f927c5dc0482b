// First difference of two runs, and the operands of one value. Runs are callables
// find(quantity, name) -> int32 [T, C, H, W] or None; answers are JSON text.
#include <memory>

#include "bindings/firefly_arrays.h"
#include "firefly/first_difference.h"

namespace lampyris {

namespace {

using namespace firefly;

class PythonTrace : public TraceSource {
 public:
  explicit PythonTrace(py::function find) : find_(std::move(find)) {}

  std::optional<TraceMap> find(Quantity quantity, const std::string& name) const override {
    const py::object found = find_(std::string(quantity_name(quantity)), name);
    if (found.is_none()) return std::nullopt;
    const auto array = found.cast<Array<int32_t>>();
    if (array.ndim() != 4)
      fail("first_difference: {} \"{}\" must have shape [T, C, H, W], got {} dimensions",
           quantity_name(quantity), name, array.ndim());
    const auto size = [&](int i) { return static_cast<int>(array.shape(i)); };
    return TraceMap{
        size(0), size(1), size(2), size(3), {array.data(), array.data() + array.size()}};
  }

 private:
  py::function find_;
};

std::string difference(const LoadedImage& image, const py::function& left,
                       const py::function& right, const std::string& a, const std::string& b) {
  return comparison_json(compare_traces(image, PythonTrace(left), PythonTrace(right)), a, b);
}

std::string operands(const LoadedImage& image, const py::function& trace,
                     const std::string& quantity, const std::string& name, int t, int channel,
                     int y, int x) {
  Place place = find_place(image.plan, parse_quantity(quantity), name);
  place.t = t, place.channel = channel, place.y = y, place.x = x;
  return operands_json(explain(image, PythonTrace(trace), place));
}

}  // namespace

void bind_firefly_difference(py::module_& m) {
  m.def("first_difference", &difference, py::arg("image"), py::arg("left"), py::arg("right"),
        py::arg("left_name"), py::arg("right_name"));
  m.def("explain", &operands, py::arg("image"), py::arg("trace"), py::arg("quantity"),
        py::arg("name"), py::arg("t"), py::arg("channel"), py::arg("y"), py::arg("x"));
}

}  // namespace lampyris

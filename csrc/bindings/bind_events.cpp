// lampyris._native.events: Prophesee .dat files.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "bindings/event_arrays.h"
#include "core/error.h"
#include "events/dat_file.h"

namespace py = pybind11;

namespace lampyris {

namespace {

std::optional<int64_t> stated(int64_t side) {
  return side == 0 ? std::nullopt : std::optional<int64_t>(side);
}

// The columns t, x, y, polarity of events first..last-1.
py::tuple read_events(const DatFile& dat, int64_t first, int64_t last) {
  const DatView& file = dat.view();
  if (first < 0 || last < first || last > file.size()) {
    fail_range("event file: {}: range must lie within 0..{}, got {}..{}", file.name(), file.size(),
               first, last);
  }
  py::array_t<uint32_t> t(last - first);
  py::array_t<uint16_t> x(last - first), y(last - first);
  py::array_t<uint8_t> polarity(last - first);
  uint32_t* t_out = t.mutable_data();
  uint16_t* x_out = x.mutable_data();
  uint16_t* y_out = y.mutable_data();
  uint8_t* polarity_out = polarity.mutable_data();
  {
    py::gil_scoped_release release;
    for (int64_t i = first; i < last; ++i) {
      const Event e = file.event(i);
      *t_out++ = e.t;
      *x_out++ = e.x;
      *y_out++ = e.y;
      *polarity_out++ = e.polarity;
    }
  }
  return py::make_tuple(t, x, y, polarity);
}

}  // namespace

void bind_events(py::module_& m) {
  py::class_<EventCheck>(m, "EventCheck")
      .def_readonly("unsorted", &EventCheck::unsorted)
      .def_readonly("outside", &EventCheck::outside)
      .def_readonly("first_unsorted", &EventCheck::first_unsorted)
      .def_readonly("first_outside", &EventCheck::first_outside);

  py::class_<DatFile>(m, "DatFile")
      .def(py::init<const std::string&>(), py::arg("path"))
      .def("__len__", [](const DatFile& f) { return f.view().size(); })
      .def_property_readonly("width",
                             [](const DatFile& f) { return stated(f.view().header().width); })
      .def_property_readonly("height",
                             [](const DatFile& f) { return stated(f.view().header().height); })
      .def_property_readonly("event_type",
                             [](const DatFile& f) { return f.view().header().event_type; })
      .def(
          "lower_bound", [](const DatFile& f, int64_t t) { return f.view().lower_bound(t); },
          py::arg("t"))
      .def("read", &read_events, py::arg("first"), py::arg("last"))
      .def("frames", &render_dat, py::arg("request"))
      .def(
          "check",
          [](const DatFile& f, int64_t height, int64_t width) {
            return f.view().check(height, width);
          },
          py::arg("height"), py::arg("width"), py::call_guard<py::gil_scoped_release>());
  bind_event_frames(m);
}

}  // namespace lampyris

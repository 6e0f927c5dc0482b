// Python module lampyris._native: the torch-free rooms, numpy in and numpy out.
#include <pybind11/pybind11.h>

#include <string>

#include "cpu/isa.h"
#include "cpu/parallel.h"
#include "lampyris_build_id.h"

namespace py = pybind11;

namespace lampyris {
void bind_io(py::module_& m);
void bind_firefly(py::module_& m);
void bind_ecc(py::module_& m);
void bind_ecc_netlist(py::module_& m);
void bind_events(py::module_& m);
void bind_graph(py::module_& m);
}  // namespace lampyris

PYBIND11_MODULE(_native, m) {
  m.doc() = "Torch-free core of Lampyris: hardware model, codes, weight images, event files, graphs.";
  m.attr("build_id") = LAMPYRIS_BUILD_ID;
  m.def("threads", &lampyris::threads);
  m.def("set_threads", &lampyris::set_threads, py::arg("count"));
  m.def("isa", [] { return std::string(lampyris::isa_name(lampyris::isa())); });
  m.def("set_isa", [](const std::string& name) {
    return std::string(lampyris::isa_name(lampyris::set_isa(lampyris::parse_isa(name))));
  });
  auto io = m.def_submodule("io");
  auto firefly = m.def_submodule("firefly");
  auto ecc = m.def_submodule("ecc");
  auto events = m.def_submodule("events");
  auto graph = m.def_submodule("graph");
  lampyris::bind_io(io);
  lampyris::bind_firefly(firefly);
  lampyris::bind_ecc(ecc);
  lampyris::bind_ecc_netlist(ecc);
  lampyris::bind_events(events);
  lampyris::bind_graph(graph);
}

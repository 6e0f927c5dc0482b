// lampyris._native.graph: measures of graphs given as edge_index.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "core/error.h"
#include "graph/betweenness.h"
#include "graph/effective_size.h"

namespace py = pybind11;

namespace lampyris {

namespace {

using Edges = py::array_t<int64_t, py::array::c_style>;

template <class Measure>
py::array_t<double> measure(const char* what, const Edges& edge_index, int64_t nodes, bool directed,
                            const Measure& measure_of) {
  if (edge_index.ndim() != 2 || edge_index.shape(0) != 2) {
    fail("{}: edge_index must be [2, E]", what);
  }
  const int64_t edges = edge_index.shape(1);
  const int64_t* source = edge_index.data();
  if (nodes < 0) fail("{}: num_nodes must be in [0, 2^31), got {}", what, nodes);
  py::array_t<double> out(nodes);
  double* values = out.mutable_data();
  py::gil_scoped_release release;
  measure_of(simple_graph(what, source, source + edges, edges, nodes, directed), values);
  return out;
}

}  // namespace

void bind_graph(py::module_& m) {
  m.def(
      "betweenness",
      [](const Edges& edge_index, int64_t nodes, bool directed) {
        return measure("betweenness", edge_index, nodes, directed, betweenness);
      },
      py::arg("edge_index"), py::arg("num_nodes"), py::arg("directed"));
  m.def(
      "effective_size",
      [](const Edges& edge_index, int64_t nodes) {
        return measure("effective_size", edge_index, nodes, false, effective_size);
      },
      py::arg("edge_index"), py::arg("num_nodes"));
}

}  // namespace lampyris

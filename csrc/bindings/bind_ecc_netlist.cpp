// lampyris._native.ecc: multipliers as netlists, their simulation and fault campaigns.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "bindings/ecc_arrays.h"
#include "core/error.h"
#include "ecc/campaign.h"
#include "ecc/emit_netlist.h"
#include "ecc/emit_page_decoder.h"
#include "ecc/protect.h"

namespace py = pybind11;

namespace lampyris {

namespace {

using namespace ecc;

using Names = std::vector<const char*>;
const Names kForms{"two-step", "mastrovito", "isolated"};
const Names kProtections{"none", "bch",       "hamming",   "cross",
                         "ldpc", "signature", "duplicate", "tmr"};
const Names kPredictors{"dup", "lin", "iso"};
const Names kSharings{"tree", "cse"};
const Names kLocators{"flat", "brs"};
const Names kModes{"correct", "bypass", "detect", "verify"};
const Names kFaults{"stuck-at-0", "stuck-at-1", "flip"};

template <typename Enum>
Enum choose(const Names& names, const char* argument, const std::string& value) {
  std::string all;
  for (size_t i = 0; i < names.size(); ++i) {
    if (value == names[i]) return static_cast<Enum>(i);
    all += (i ? ", " : "") + std::string(names[i]);
  }
  fail("multiplier: {} must be one of {}, got \"{}\"", argument, all, value);
}

FaultKind fault_kind(const std::string& name) { return choose<FaultKind>(kFaults, "fault", name); }

ProtectedMultiplier build(const py::int_& polynomial, const std::string& form,
                          const std::string& protection, int t, const std::string& predictor,
                          const std::string& sharing, const std::string& locator,
                          const std::string& mode) {
  MultiplierSpec spec;
  spec.f = to_polynomial(polynomial);
  spec.form = choose<Form>(kForms, "form", form);
  spec.protection = choose<Protection>(kProtections, "protection", protection);
  spec.t = t;
  spec.predictor = choose<Predictor>(kPredictors, "predictor", predictor);
  spec.sharing = choose<Sharing>(kSharings, "sharing", sharing);
  spec.locator = choose<LocatorForm>(kLocators, "locator", locator);
  spec.mode = choose<Mode>(kModes, "mode", mode);
  py::gil_scoped_release free;
  return build_multiplier(spec);
}

py::tuple counts(const GateCount& c) {
  return py::make_tuple(c.ands, c.xors, c.ors, c.nots, c.equivalents());
}
py::tuple depth(const Depth& d) { return py::make_tuple(d.ta, d.tx, d.nots, d.delay / 2.0); }

using FaultTuples = std::vector<std::pair<Signal, std::string>>;

FaultSet fault_set(const FaultTuples& tuples) {
  FaultSet set;
  for (const auto& [node, kind] : tuples) set.push_back({node, fault_kind(kind)});
  return set;
}

std::vector<Bits> to_bits(const char* name, const std::vector<py::int_>& values, int m) {
  std::vector<Bits> all;
  for (const py::int_& value : values) {
    const Gf2Polynomial p = to_polynomial(value);
    if (p.degree() >= m)
      fail("multiplier: {} must have at most {} bits, got {}", name, m, p.degree() + 1);
    Bits bits(m);
    for (int i = 0; i < m; ++i) bits[i] = p.coefficient(i);
    all.push_back(std::move(bits));
  }
  return all;
}

py::tuple evaluate_values(const ProtectedMultiplier& design, const std::vector<py::int_>& a,
                          const std::vector<py::int_>& b, const FaultTuples& faults) {
  const int m = design.spec.f.degree();
  const auto out =
      evaluate(design.net, {to_bits("a", a, m), to_bits("b", b, m)}, fault_set(faults));
  py::list products, errors;
  for (size_t i = 0; i < a.size(); ++i) {
    Gf2Polynomial c;
    for (int bit = 0; bit < m; ++bit)
      if (out[0][i][bit]) c.flip(bit);
    products.append(from_polynomial(c));
    errors.append(py::bool_(out.size() > 1 && out[1][i][0]));
  }
  return py::make_tuple(products, errors);
}

// Rows masked, corrected, detected, alarms, silent; and the nodes of each set.
py::tuple campaign(const ProtectedMultiplier& design, const std::string& kind, int gates,
                   int64_t sets, int64_t products, uint64_t seed) {
  std::vector<FaultSet> faults;
  std::vector<Outcome> outcomes;
  const bool mixed = kind == "mixed";
  const FaultKind one = mixed ? FaultKind::kFlip : fault_kind(kind);
  {
    py::gil_scoped_release free;
    faults =
        sets < 0 ? single_faults(design.net, one) : sampled_faults(design.net, gates, sets, seed);
    if (sets >= 0 && !mixed)
      for (FaultSet& set : faults)
        for (Fault& fault : set) fault.kind = one;
    outcomes = run_campaign(design.net, faults, products, seed);
  }
  py::array_t<int64_t> table({static_cast<py::ssize_t>(outcomes.size()), py::ssize_t{5}});
  py::array_t<int32_t> nodes(
      {static_cast<py::ssize_t>(outcomes.size()), static_cast<py::ssize_t>(gates)});
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const Outcome& o = outcomes[i];
    const int64_t row[] = {o.masked, o.corrected, o.detected, o.alarms, o.silent};
    std::copy(row, row + 5, table.mutable_data(i, 0));
    for (int g = 0; g < gates; ++g) *nodes.mutable_data(i, g) = faults[i][g].node;
  }
  return py::make_tuple(table, nodes);
}

py::list gate_list(const ProtectedMultiplier& design) {
  static const char* kOps[] = {"0", "1", "input", "and", "or", "xor", "not"};
  py::list rows;
  for (const Signal s : design.net.gates()) {
    const Node& node = design.net.nodes()[s];
    rows.append(py::make_tuple(s, kOps[static_cast<int>(node.op)], part_name(node.part)));
  }
  return rows;
}

}  // namespace

void bind_ecc_netlist(py::module_& m) {
  m.def("page_decoder", &page_decoder_verilog, py::arg("code"), py::arg("module"));
  py::class_<ProtectedMultiplier>(m, "Multiplier")
      .def(py::init(&build), py::arg("polynomial"), py::arg("form"), py::arg("protection"),
           py::arg("t"), py::arg("predictor"), py::arg("sharing"), py::arg("locator"),
           py::arg("mode"))
      .def("count", [](const ProtectedMultiplier& d) { return counts(d.net.count()); })
      .def("parts",
           [](const ProtectedMultiplier& d) {
             py::dict parts;
             for (int i = 0; i < kParts; ++i)
               parts[part_name(static_cast<Part>(i))] = counts(d.net.count(static_cast<Part>(i)));
             return parts;
           })
      .def("depth", [](const ProtectedMultiplier& d) { return depth(d.net.depth()); })
      .def("fast_depth", [](const ProtectedMultiplier& d) { return depth(d.fast); })
      .def("parity_bits", [](const ProtectedMultiplier& d) { return d.parity_bits; })
      .def("code_degree", [](const ProtectedMultiplier& d) { return d.code_degree; })
      .def("gate_list", &gate_list)
      .def("evaluate", &evaluate_values, py::arg("a"), py::arg("b"), py::arg("faults"))
      .def("campaign", &campaign, py::arg("kind"), py::arg("gates"), py::arg("sets"),
           py::arg("products"), py::arg("seed"))
      .def("to_verilog",
           [](const ProtectedMultiplier& d, const std::string& n) { return to_verilog(d.net, n); })
      .def("to_blif",
           [](const ProtectedMultiplier& d, const std::string& n) { return to_blif(d.net, n); });
}

}  // namespace lampyris

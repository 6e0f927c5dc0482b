#include "ecc/netlist_simulate.h"

#include <algorithm>

#include "core/attributes.h"
#include "core/error.h"
#include "cpu/dispatch.h"

namespace lampyris::ecc {

void check_faults(const Netlist& net, std::span<const Fault> faults) {
  const auto count = static_cast<Signal>(net.nodes().size());
  std::vector<Signal> seen;
  for (const Fault& fault : faults) {
    if (fault.node < 2 || fault.node >= count)
      fail("netlist: fault must name a gate or input 2..{}, got {}", count - 1, fault.node);
    seen.push_back(fault.node);
  }
  std::sort(seen.begin(), seen.end());
  const auto twice = std::adjacent_find(seen.begin(), seen.end());
  if (twice != seen.end()) fail("netlist: faults must name a gate once, got {} twice", *twice);
}

namespace {

struct SimulateBody {
  template <class Target>
  LAMPYRIS_INLINE static void run(const Node* nodes, int64_t begin, int64_t end, int64_t words,
                                  uint64_t* values) {
    for (int64_t n = begin; n < end; ++n) {
      const Node node = nodes[n];
      uint64_t* __restrict out = values + n * words;
      const uint64_t* a = values + node.a * words;
      const uint64_t* b = values + node.b * words;
      switch (node.op) {
        case Op::kAnd:
          for (int64_t w = 0; w < words; ++w) out[w] = a[w] & b[w];
          break;
        case Op::kOr:
          for (int64_t w = 0; w < words; ++w) out[w] = a[w] | b[w];
          break;
        case Op::kXor:
          for (int64_t w = 0; w < words; ++w) out[w] = a[w] ^ b[w];
          break;
        case Op::kNot:
          for (int64_t w = 0; w < words; ++w) out[w] = ~a[w];
          break;
        default:
          break;
      }
    }
  }
};

}  // namespace

void simulate(const Netlist& net, std::span<const Fault> faults, int64_t words,
              std::span<uint64_t> values) {
  check_faults(net, faults);
  const auto& nodes = net.nodes();
  const auto count = static_cast<int64_t>(nodes.size());
  if (words < 1 || static_cast<int64_t>(values.size()) != count * words)
    fail("netlist: values must have {} x {} words, got {}", count, words, values.size());
  std::fill_n(values.begin(), words, uint64_t{0});
  std::fill_n(values.begin() + words, words, ~uint64_t{0});
  std::vector<Fault> sorted(faults.begin(), faults.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const Fault& a, const Fault& b) { return a.node < b.node; });
  int64_t next = 2;
  for (const Fault& fault : sorted) {
    dispatch<SimulateBody>(nodes.data(), next, int64_t{fault.node} + 1, words, values.data());
    for (int64_t w = 0; w < words; ++w) {
      uint64_t& value = values[fault.node * words + w];
      value = fault.kind == FaultKind::kFlip       ? ~value
              : fault.kind == FaultKind::kStuckAt1 ? ~uint64_t{0}
                                                   : 0;
    }
    next = fault.node + 1;
  }
  dispatch<SimulateBody>(nodes.data(), next, count, words, values.data());
}

std::vector<std::vector<Bits>> evaluate(const Netlist& net,
                                        const std::vector<std::vector<Bits>>& inputs,
                                        std::span<const Fault> faults) {
  const auto& ports = net.inputs();
  if (inputs.size() != ports.size())
    fail("netlist: inputs must be {} ports, got {}", ports.size(), inputs.size());
  const auto cases = inputs.empty() ? size_t{0} : inputs[0].size();
  const int64_t words = static_cast<int64_t>(std::max<size_t>(1, (cases + 63) / 64));
  std::vector<uint64_t> values(net.nodes().size() * words);
  for (size_t p = 0; p < ports.size(); ++p) {
    if (inputs[p].size() != cases)
      fail("netlist: {} must have {} cases, got {}", ports[p].name, cases, inputs[p].size());
    for (size_t c = 0; c < cases; ++c) {
      if (inputs[p][c].size() != ports[p].bits.size())
        fail("netlist: {} must have {} bits, got {}", ports[p].name, ports[p].bits.size(),
             inputs[p][c].size());
      for (size_t i = 0; i < ports[p].bits.size(); ++i)
        values[ports[p].bits[i] * words + c / 64] |= uint64_t{inputs[p][c][i] != 0} << c % 64;
    }
  }
  simulate(net, faults, words, values);
  std::vector<std::vector<Bits>> out;
  for (const Port& port : net.outputs()) {
    std::vector<Bits> all(cases, Bits(port.bits.size()));
    for (size_t c = 0; c < cases; ++c)
      for (size_t i = 0; i < port.bits.size(); ++i)
        all[c][i] = values[port.bits[i] * words + c / 64] >> c % 64 & 1;
    out.push_back(std::move(all));
  }
  return out;
}

}  // namespace lampyris::ecc

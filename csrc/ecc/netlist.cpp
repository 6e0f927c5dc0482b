#include "ecc/netlist.h"

#include <algorithm>
#include <functional>
#include <queue>

#include "core/error.h"

namespace lampyris::ecc {

const char* part_name(Part part) {
  static constexpr const char* kNames[kParts] = {
      "multiplier", "predictor", "syndromes", "key equation", "locator", "correction", "check"};
  return kNames[static_cast<int>(part)];
}

double cell_area(Op op) {
  switch (op) {
    case Op::kAnd:
    case Op::kOr:
      return 1.33;
    case Op::kXor:
      return 2.0;
    case Op::kNot:
      return 0.67;
    default:
      return 0.0;
  }
}

int cell_delay(Op op) {
  switch (op) {
    case Op::kAnd:
    case Op::kOr:
      return 2;
    case Op::kXor:
      return 4;
    case Op::kNot:
      return 1;
    default:
      return 0;
  }
}

double GateCount::equivalents() const {
  return static_cast<double>(ands) * cell_area(Op::kAnd) +
         static_cast<double>(xors) * cell_area(Op::kXor) +
         static_cast<double>(ors) * cell_area(Op::kOr) +
         static_cast<double>(nots) * cell_area(Op::kNot);
}

std::string to_text(const Depth& d) { return text("{}TA+{}TX", d.ta, d.tx); }

Netlist::Netlist() : nodes_{{Op::kZero}, {Op::kOne}}, arrival_{0, 0} {}

std::vector<Signal> Netlist::add_input(const std::string& name, int width) {
  std::vector<Signal> bits;
  for (int i = 0; i < width; ++i) {
    bits.push_back(static_cast<Signal>(nodes_.size()));
    nodes_.push_back({Op::kInput, part_});
    arrival_.push_back(0);
  }
  inputs_.push_back({name, bits});
  return bits;
}

void Netlist::add_output(const std::string& name, std::vector<Signal> bits) {
  outputs_.push_back({name, std::move(bits)});
}

const Port& Netlist::output(const std::string& name) const {
  for (const Port& port : outputs_)
    if (port.name == name) return port;
  fail("netlist: output must be one of its ports, got \"{}\"", name);
}

Signal Netlist::gate(Op op, Signal a, Signal b) {
  if (a > b) std::swap(a, b);
  if (known_scope_ != scope_) known_.clear(), known_scope_ = scope_;
  const uint64_t key =
      static_cast<uint64_t>(op) << 60 | static_cast<uint64_t>(a) << 30 | static_cast<uint64_t>(b);
  const auto [place, is_new] = known_.try_emplace(key, static_cast<Signal>(nodes_.size()));
  if (is_new) {
    nodes_.push_back({op, part_, a, b});
    arrival_.push_back(std::max(arrival_[a], arrival_[b]) + cell_delay(op));
  }
  return place->second;
}

Signal Netlist::land(Signal a, Signal b) {
  if (a == kLow || b == kLow) return kLow;
  if (a == kHigh || a == b) return b;
  return b == kHigh ? a : gate(Op::kAnd, a, b);
}

Signal Netlist::lor(Signal a, Signal b) {
  if (a == kHigh || b == kHigh) return kHigh;
  if (a == kLow || a == b) return b;
  return b == kLow ? a : gate(Op::kOr, a, b);
}

Signal Netlist::lxor(Signal a, Signal b) {
  if (a == b) return kLow;
  if (a == kLow) return b;
  if (b == kLow) return a;
  if (a == kHigh) return lnot(b);
  return b == kHigh ? lnot(a) : gate(Op::kXor, a, b);
}

Signal Netlist::lnot(Signal a) {
  if (a <= kHigh) return a ^ 1;
  if (nodes_[a].op == Op::kNot) return nodes_[a].a;
  return gate(Op::kNot, a, a);
}

Signal Netlist::reduce(Op op, std::vector<Signal> terms) {
  if (terms.empty()) return op == Op::kAnd ? kHigh : kLow;
  using Timed = std::pair<int, Signal>;
  std::priority_queue<Timed, std::vector<Timed>, std::greater<>> waiting;
  for (const Signal s : terms) waiting.emplace(arrival_[s], s);
  while (waiting.size() > 1) {
    const Signal a = waiting.top().second;
    waiting.pop();
    const Signal b = waiting.top().second;
    waiting.pop();
    const Signal s = op == Op::kXor ? lxor(a, b) : op == Op::kAnd ? land(a, b) : lor(a, b);
    waiting.emplace(arrival_[s], s);
  }
  return waiting.top().second;
}

void Netlist::sweep() {
  std::vector<uint8_t> needed(nodes_.size());
  needed[kLow] = needed[kHigh] = 1;
  for (const Port& port : inputs_)
    for (const Signal s : port.bits) needed[s] = 1;
  for (const Port& port : outputs_)
    for (const Signal s : port.bits) needed[s] = 1;
  for (size_t i = nodes_.size(); i-- > 2;)
    if (needed[i] && nodes_[i].op != Op::kInput) needed[nodes_[i].a] = needed[nodes_[i].b] = 1;
  std::vector<Signal> place(nodes_.size(), -1);
  size_t kept = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!needed[i]) continue;
    Node node = nodes_[i];
    if (node.op >= Op::kAnd) node.a = place[node.a], node.b = place[node.b];
    place[i] = static_cast<Signal>(kept);
    arrival_[kept] = arrival_[i];
    nodes_[kept++] = node;
  }
  nodes_.resize(kept), arrival_.resize(kept);
  for (auto* ports : {&inputs_, &outputs_})
    for (Port& port : *ports)
      for (Signal& s : port.bits) s = place[s];
  std::vector<Signal> watched;
  for (const Signal s : watched_)
    if (place[s] >= 0) watched.push_back(place[s]);
  watched_ = std::move(watched);
  known_.clear();
  open_scope();
}

std::vector<Signal> Netlist::gates() const {
  std::vector<Signal> found;
  for (size_t i = 2; i < nodes_.size(); ++i)
    if (nodes_[i].op != Op::kInput) found.push_back(static_cast<Signal>(i));
  return found;
}

namespace {

void add(GateCount& count, Op op) {
  count.ands += op == Op::kAnd, count.xors += op == Op::kXor;
  count.ors += op == Op::kOr, count.nots += op == Op::kNot;
}

}  // namespace

GateCount Netlist::count() const {
  GateCount c;
  for (const Node& node : nodes_) add(c, node.op);
  return c;
}

GateCount Netlist::count(Part part) const {
  GateCount c;
  for (const Node& node : nodes_)
    if (node.part == part) add(c, node.op);
  return c;
}

Depth Netlist::depth() const {
  Signal last = kLow;
  for (const Port& port : outputs_)
    for (const Signal s : port.bits)
      if (arrival_[s] > arrival_[last]) last = s;
  return depth_to(last);
}

Depth Netlist::depth_to(Signal s) const {
  Depth d;
  d.delay = arrival_[s];
  while (nodes_[s].op >= Op::kAnd) {
    const Node& node = nodes_[s];
    d.ta += node.op == Op::kAnd || node.op == Op::kOr;
    d.tx += node.op == Op::kXor, d.nots += node.op == Op::kNot;
    s = arrival_[node.a] >= arrival_[node.b] ? node.a : node.b;
  }
  return d;
}

}  // namespace lampyris::ecc

// Combinational netlists of two-input gates, built in topological order: constants are folded and
// equal gates of one scope are built once. Counts, gate equivalents and depth are read off the
// gates.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace lampyris::ecc {

enum class Op : uint8_t { kZero, kOne, kInput, kAnd, kOr, kXor, kNot };

// The piece of a design that a gate belongs to.
enum class Part : uint8_t {
  kMultiplier,
  kPredictor,
  kSyndrome,
  kKeyEquation,
  kLocator,
  kCorrection,
  kCheck
};
constexpr int kParts = 7;
const char* part_name(Part part);

// Index of a node; operands lie below their gate. 0 and 1 are the constants.
using Signal = int32_t;
constexpr Signal kLow = 0;
constexpr Signal kHigh = 1;

struct Node {
  Op op = Op::kZero;
  Part part = Part::kMultiplier;
  Signal a = 0;
  Signal b = 0;  // a again for kNot
};

// The cell table of every figure. Area in gate equivalents (NAND2 = 1): AND 1.33, OR 1.33, XOR 2,
// NOT 0.67. Delay in half an AND: AND and OR 2, XOR 4, NOT 1.
double cell_area(Op op);
int cell_delay(Op op);

struct GateCount {
  int64_t ands = 0, xors = 0, ors = 0, nots = 0;
  int64_t total() const { return ands + xors + ors + nots; }
  double equivalents() const;
  bool operator==(const GateCount&) const = default;
};

// Cells on the slowest path: AND and OR count as ta.
struct Depth {
  int ta = 0, tx = 0, nots = 0;
  int delay = 0;  // cell_delay units
  bool operator==(const Depth&) const = default;
};
std::string to_text(const Depth& depth);  // "1TA+9TX"

struct Port {
  std::string name;
  std::vector<Signal> bits;
};

class Netlist {
 public:
  Netlist();

  std::vector<Signal> add_input(const std::string& name, int width);
  void add_output(const std::string& name, std::vector<Signal> bits);
  // Nets that a fault campaign watches inside the design; they keep nothing alive by themselves.
  void watch(std::span<const Signal> bits) {
    watched_.insert(watched_.end(), bits.begin(), bits.end());
  }

  Signal land(Signal a, Signal b);
  Signal lor(Signal a, Signal b);
  Signal lxor(Signal a, Signal b);
  Signal lnot(Signal a);
  // Balanced over arrival times, so that the result is as early as it can be.
  Signal xor_all(std::vector<Signal> terms) { return reduce(Op::kXor, std::move(terms)); }
  Signal or_all(std::vector<Signal> terms) { return reduce(Op::kOr, std::move(terms)); }
  Signal and_all(std::vector<Signal> terms) { return reduce(Op::kAnd, std::move(terms)); }

  // Gates made from now on are never merged with gates of another scope.
  void open_scope() { ++scope_; }
  void set_part(Part part) { part_ = part; }

  // Drops gates that no output needs and renumbers the rest; signals held outside are void then.
  void sweep();

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  const std::vector<Signal>& watched() const { return watched_; }
  const Port& output(const std::string& name) const;
  std::vector<Signal> gates() const;  // all but constants and inputs
  int arrival(Signal s) const { return arrival_[s]; }

  GateCount count() const;
  GateCount count(Part part) const;
  Depth depth() const;
  Depth depth_to(Signal s) const;

 private:
  Signal gate(Op op, Signal a, Signal b);
  Signal reduce(Op op, std::vector<Signal> terms);
  std::vector<Node> nodes_;
  std::vector<int> arrival_;
  std::vector<Port> inputs_, outputs_;
  std::vector<Signal> watched_;
  std::unordered_map<uint64_t, Signal> known_;  // gates of the open scope
  uint64_t known_scope_ = 0, scope_ = 0;
  Part part_ = Part::kMultiplier;
};

}  // namespace lampyris::ecc

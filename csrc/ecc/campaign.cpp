#include "ecc/campaign.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

#include "core/attributes.h"
#include "core/error.h"
#include "cpu/dispatch.h"
#include "cpu/parallel.h"

namespace lampyris::ecc {

namespace {

constexpr int kWords =
    16;  // 1024 products at a time: both copies of 10,000 nodes stay in the L2 cache
using Block = uint64_t[kWords];

// The nets of a design that decide about a product.
struct Watch {
  std::vector<Signal> product, error, inside;
};

// Scratch of one thread: a copy of the faultless values, and which nodes differ from them.
struct Scratch {
  std::vector<uint64_t> storage;
  std::vector<uint8_t> differs;
  std::vector<Signal> touched;
  Block* values = nullptr;
};

struct FaultBody {
  template <class Target>
  LAMPYRIS_INLINE static void run(const Netlist& net, const std::vector<Fault>& faults,
                                  const Block* golden, const Watch& watch, const Block& valid,
                                  Scratch* on, Outcome* total) {
    Scratch& scratch = *on;
    Outcome& outcome = *total;
    const Node* nodes = net.nodes().data();
    const auto count = static_cast<Signal>(net.nodes().size());
    Block* values = scratch.values;
    uint8_t* differs = scratch.differs.data();
    size_t next = 0;
    for (Signal n = faults[0].node; n < count; ++n) {
      const Node node = nodes[n];
      const bool faulty = next < faults.size() && faults[next].node == n;
      if (!(differs[node.a] | differs[node.b]) && !faulty) continue;
      uint64_t* out = values[n];
      const uint64_t *a = values[node.a], *b = values[node.b], *right = golden[n];
      if (node.op == Op::kAnd) {
        for (int w = 0; w < kWords; ++w) out[w] = a[w] & b[w];
      } else if (node.op == Op::kXor) {
        for (int w = 0; w < kWords; ++w) out[w] = a[w] ^ b[w];
      } else if (node.op == Op::kOr) {
        for (int w = 0; w < kWords; ++w) out[w] = a[w] | b[w];
      } else if (node.op == Op::kNot) {
        for (int w = 0; w < kWords; ++w) out[w] = ~a[w];
      }
      if (faulty) {
        const FaultKind kind = faults[next++].kind;
        for (int w = 0; w < kWords; ++w)
          out[w] = kind == FaultKind::kFlip       ? ~out[w]
                   : kind == FaultKind::kStuckAt1 ? ~uint64_t{0}
                                                  : 0;
      }
      uint64_t any = 0;
      for (int w = 0; w < kWords; ++w) any |= out[w] ^ right[w];
      if (any) differs[n] = 1, scratch.touched.push_back(n);
    }
    Block wrong{}, reached{}, flagged{};
    for (const Signal s : watch.product)
      if (differs[s])
        for (int w = 0; w < kWords; ++w) wrong[w] |= values[s][w] ^ golden[s][w];
    for (const Signal s : watch.inside)
      if (differs[s])
        for (int w = 0; w < kWords; ++w) reached[w] |= values[s][w] ^ golden[s][w];
    for (const Signal s : watch.error)
      for (int w = 0; w < kWords; ++w) flagged[w] |= values[s][w];
    for (int w = 0; w < kWords; ++w) {
      const uint64_t quiet = valid[w] & ~flagged[w];
      outcome.silent += std::popcount(quiet & wrong[w]);
      outcome.corrected += std::popcount(quiet & ~wrong[w] & reached[w]);
      outcome.masked += std::popcount(quiet & ~wrong[w] & ~reached[w]);
      outcome.detected += std::popcount(valid[w] & flagged[w]);
      outcome.alarms += std::popcount(valid[w] & flagged[w] & ~wrong[w]);
    }
    for (const Signal s : scratch.touched) {
      differs[s] = 0;
      for (int w = 0; w < kWords; ++w) values[s][w] = golden[s][w];
    }
    scratch.touched.clear();
  }
};

Block* blocks(std::vector<uint64_t>& storage, size_t nodes) {
  storage.assign((nodes + 1) * kWords, 0);
  auto address = reinterpret_cast<uintptr_t>(storage.data());
  address = (address + sizeof(Block) / 2 - 1) & ~(sizeof(Block) / 2 - 1);  // 64-byte lines
  return reinterpret_cast<Block*>(address);
}

}  // namespace

Outcome& Outcome::operator+=(const Outcome& o) {
  masked += o.masked, corrected += o.corrected, detected += o.detected;
  alarms += o.alarms, silent += o.silent;
  return *this;
}

std::vector<FaultSet> single_faults(const Netlist& net, FaultKind kind) {
  std::vector<FaultSet> sets;
  for (const Signal s : net.gates()) sets.push_back({{s, kind}});
  return sets;
}

std::vector<FaultSet> sampled_faults(const Netlist& net, int gates, int64_t count, uint64_t seed) {
  const std::vector<Signal> all = net.gates();
  if (gates < 1 || gates > static_cast<int>(all.size()))
    fail("campaign: gates must lie in 1..{}, got {}", all.size(), gates);
  if (count < 0) fail("campaign: count must be >= 0, got {}", count);
  std::mt19937_64 random(seed);
  std::vector<FaultSet> sets;
  for (int64_t i = 0; i < count; ++i) {
    FaultSet set;
    while (static_cast<int>(set.size()) < gates) {
      const Signal s = all[random() % all.size()];
      const auto kind = static_cast<FaultKind>(random() % 3);
      if (std::none_of(set.begin(), set.end(), [s](const Fault& f) { return f.node == s; }))
        set.push_back({s, kind});
    }
    sets.push_back(std::move(set));
  }
  return sets;
}

std::vector<Outcome> run_campaign(const Netlist& net, const std::vector<FaultSet>& sets,
                                  int64_t products, uint64_t seed) {
  if (products < 1) fail("campaign: products must be >= 1, got {}", products);
  std::vector<FaultSet> sorted = sets;
  for (FaultSet& set : sorted) {
    if (set.empty()) fail("campaign: a set of faults must not be empty");
    check_faults(net, set);
    std::sort(set.begin(), set.end(),
              [](const Fault& a, const Fault& b) { return a.node < b.node; });
  }
  const size_t nodes = net.nodes().size();
  Watch watch{net.output("c").bits, {}, net.watched()};
  for (const Port& port : net.outputs())
    if (port.name == "error") watch.error = port.bits;
  std::mt19937_64 random(seed);
  std::vector<uint64_t> storage;
  Block* golden = blocks(storage, nodes);
  std::vector<Outcome> outcomes(sets.size());
  for (int64_t first = 0; first < products; first += kWords * 64) {
    for (const Port& port : net.inputs())
      for (const Signal s : port.bits)
        for (uint64_t& word : golden[s]) word = random();
    simulate(net, {}, kWords, {golden[0], nodes * kWords});
    Block valid;
    for (int w = 0; w < kWords; ++w) {
      const int64_t left = products - first - w * 64;
      valid[w] = left >= 64 ? ~uint64_t{0} : left <= 0 ? 0 : (uint64_t{1} << left) - 1;
    }
    parallel(0, static_cast<int64_t>(sets.size()), 64, [&](int64_t begin, int64_t end) {
      Scratch scratch;
      scratch.values = blocks(scratch.storage, nodes);
      std::memcpy(scratch.values, golden, nodes * sizeof(Block));
      scratch.differs.assign(nodes, 0);
      for (int64_t i = begin; i < end; ++i)
        dispatch<FaultBody>(net, sorted[i], golden, watch, valid, &scratch, &outcomes[i]);
    });
  }
  return outcomes;
}

}  // namespace lampyris::ecc

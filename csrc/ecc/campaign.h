// Fault campaigns: what becomes of the products when gates of a design are wrong.
#pragma once

#include <cstdint>
#include <vector>

#include "ecc/netlist_simulate.h"

namespace lampyris::ecc {

// Products of one set of faults, or of all. masked + corrected + detected + silent = all.
struct Outcome {
  int64_t masked = 0;     // right, and nothing wrong reached the watched nets
  int64_t corrected = 0;  // right, though a watched net was wrong
  int64_t detected = 0;   // `error` raised
  int64_t alarms = 0;     // of these, with a right product
  int64_t silent = 0;     // wrong, and no `error`
  Outcome& operator+=(const Outcome& other);
  bool operator==(const Outcome&) const = default;
};

using FaultSet = std::vector<Fault>;

// One set for each gate.
std::vector<FaultSet> single_faults(const Netlist& net, FaultKind kind);
// `count` sets of `gates` different gates each, kinds mixed, drawn with `seed`.
std::vector<FaultSet> sampled_faults(const Netlist& net, int gates, int64_t count, uint64_t seed);

// The same `products` random inputs for every set; outcome [sets]. Runs on all threads.
std::vector<Outcome> run_campaign(const Netlist& net, const std::vector<FaultSet>& sets,
                                  int64_t products, uint64_t seed);

}  // namespace lampyris::ecc

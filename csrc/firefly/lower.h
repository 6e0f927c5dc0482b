// From a program's nodes to places of maps and bands of rows.
#pragma once

#include <vector>

#include "firefly/config.h"
#include "firefly/plan.h"
#include "firefly/program.h"
#include "firefly/violations.h"

namespace lampyris::firefly {

// Output rows of one command of a node.
struct Band {
  int row0 = 0, row1 = 0;
};

class Lowering {
 public:
  explicit Lowering(const Program& program);

  // Checks every limit of target ems; throws listing all violations.
  // Limits found here, after those that the program found when it was put together.
  void check(Violations violations) const;
  // Plans the arena. Fills arena_bytes and maps.
  void place(Plan& plan);
  const std::vector<Band>& bands(size_t node) const { return bands_[node]; }

 private:
  using Map = Program::Map;
  using Node = Program::Node;

  const Map& map(int id) const { return program_.maps()[static_cast<size_t>(id)]; }
  int root(int id) const;
  int first_tile(int id) const;
  int output_map(const Node& node) const;
  std::vector<Band> cut(const Node& node) const;
  bool aligned(const Node& node, const Band& band) const;
  void check_node(const Node& node, const std::vector<Band>& bands, Violations& out) const;

  const Program& program_;
  int p_;
  Config config_;
  std::vector<std::vector<Band>> bands_;
  std::vector<PlanMap> placed_;  // per map
};

}  // namespace lampyris::firefly

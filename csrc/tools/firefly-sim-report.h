// What firefly-sim prints: a table for people, one JSON object for programs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "firefly/boxes.h"
#include "firefly/driver.h"
#include "firefly/first_difference.h"
#include "firefly/timing.h"

namespace lampyris::firefly::sim {

struct Report {
  std::string image, datapath;
  bool made_up = false;  // the input
  const Plan& plan;
  const Timing& timing;
  const Result& result;
  double seconds = 0;  // wall clock of the run
  std::vector<Box> boxes = {};
  std::optional<TraceComparison> comparison = {};
  std::string compared_with = {}, out = {}, vcd = {};
  int files = 0;
  int64_t wave_cycles = 0;
};

void print_text(const Report& report);
void print_json(const Report& report);

}  // namespace lampyris::firefly::sim

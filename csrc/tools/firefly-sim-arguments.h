// Command line of firefly-sim.
#pragma once

#include <stdexcept>
#include <string>

namespace lampyris::firefly::sim {

struct Arguments {
  std::string image, input, preset, config, datapath, out, trace, vcd = "trace.vcd", compare;
  std::string progress = "2";
  double period = 2;  // seconds of --progress
  bool json = false, strict = false, help = false;
};

// A command line that cannot be understood: exit status 2.
struct UsageError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

Arguments parse_arguments(int count, char** words);
const char* usage();

}  // namespace lampyris::firefly::sim

// Netlists as text for other tools.
#pragma once

#include <string>

#include "ecc/netlist.h"

namespace lampyris::ecc {

// One wire a gate, n<node>; ports keep their names. Refuses a name that is no identifier.
std::string to_verilog(const Netlist& net, const std::string& module);
std::string to_blif(const Netlist& net, const std::string& model);

}  // namespace lampyris::ecc

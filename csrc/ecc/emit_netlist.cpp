#include "ecc/emit_netlist.h"

#include <cctype>

#include "core/error.h"

namespace lampyris::ecc {

namespace {

void check_name(const std::string& name) {
  bool good = !name.empty() && !std::isdigit(static_cast<unsigned char>(name[0]));
  for (const unsigned char c : name) good = good && (std::isalnum(c) || c == '_');
  if (!good) fail("netlist: name must be an identifier, got \"{}\"", name);
}

std::string bit_name(const Port& port, size_t i) { return text("{}[{}]", port.name, i); }

// The name of each node: a bit of an input port, a wire, or a constant.
std::vector<std::string> names_of(const Netlist& net, const char* low, const char* high) {
  std::vector<std::string> names(net.nodes().size());
  names[kLow] = low, names[kHigh] = high;
  for (const Port& port : net.inputs())
    for (size_t i = 0; i < port.bits.size(); ++i) names[port.bits[i]] = bit_name(port, i);
  for (const Signal s : net.gates()) names[s] = text("n{}", s);
  return names;
}

bool uses(const Netlist& net, Signal constant) {
  for (const Port& port : net.outputs())
    for (const Signal s : port.bits)
      if (s == constant) return true;
  return false;
}

}  // namespace

std::string to_verilog(const Netlist& net, const std::string& module) {
  check_name(module);
  const auto names = names_of(net, "1'b0", "1'b1");
  std::string out = text("module {}(\n", module);
  bool first = true;
  const auto declare = [&](const Port& port, const char* direction) {
    check_name(port.name);
    out += text("{}  {} wire [{}:0] {}", first ? "" : ",\n", direction, port.bits.size() - 1,
                port.name);
    first = false;
  };
  for (const Port& port : net.inputs()) declare(port, "input");
  for (const Port& port : net.outputs()) declare(port, "output");
  out += "\n);\n";
  for (const Signal s : net.gates()) {
    const Node& node = net.nodes()[s];
    if (node.op == Op::kNot) {
      out += text("  wire {} = ~{};\n", names[s], names[node.a]);
    } else {
      const char* sign = node.op == Op::kAnd ? "&" : node.op == Op::kOr ? "|" : "^";
      out += text("  wire {} = {} {} {};\n", names[s], names[node.a], sign, names[node.b]);
    }
  }
  for (const Port& port : net.outputs())
    for (size_t i = 0; i < port.bits.size(); ++i)
      out += text("  assign {} = {};\n", bit_name(port, i), names[port.bits[i]]);
  return out + "endmodule\n";
}

std::string to_blif(const Netlist& net, const std::string& model) {
  check_name(model);
  const auto names = names_of(net, "const0", "const1");
  std::string out = text(".model {}\n.inputs", model);
  for (const Port& port : net.inputs())
    for (size_t i = 0; i < port.bits.size(); ++i) out += " " + bit_name(port, i);
  out += "\n.outputs";
  for (const Port& port : net.outputs())
    for (size_t i = 0; i < port.bits.size(); ++i) out += " " + bit_name(port, i);
  out += "\n";
  if (uses(net, kLow)) out += ".names const0\n";
  if (uses(net, kHigh)) out += ".names const1\n1\n";
  for (const Signal s : net.gates()) {
    const Node& node = net.nodes()[s];
    const std::string& a = names[node.a];
    switch (node.op) {
      case Op::kNot:
        out += text(".names {} {}\n0 1\n", a, names[s]);
        break;
      case Op::kAnd:
        out += text(".names {} {} {}\n11 1\n", a, names[node.b], names[s]);
        break;
      case Op::kOr:
        out += text(".names {} {} {}\n1- 1\n-1 1\n", a, names[node.b], names[s]);
        break;
      default:
        out += text(".names {} {} {}\n10 1\n01 1\n", a, names[node.b], names[s]);
        break;
    }
  }
  for (const Port& port : net.outputs())
    for (size_t i = 0; i < port.bits.size(); ++i)
      out += text(".names {} {}\n1 1\n", names[port.bits[i]], bit_name(port, i));
  return out + ".end\n";
}

}  // namespace lampyris::ecc

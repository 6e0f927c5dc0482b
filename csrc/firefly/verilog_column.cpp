#include "firefly/verilog_column.h"

#include <utility>

#include "core/error.h"
#include "firefly/array_shape.h"
#include "firefly/verilog_modules.h"

namespace lampyris::firefly {

namespace {

// The words that enter the first level, or those behind level `level` - 1.
std::string operand(int level, int term) {
  if (level == 0)
    return text("$signed(product[{} * LANES / 4 + lane / 4][12 * (lane % 4) +: 12])", term);
  return text("level{}[{} * LANES + lane]", level - 1, term);
}

// One register level; an assignment keeps the low bits of the sum, so it wraps at the width.
std::string adder_level(const ArrayShape& shape, int level) {
  const size_t l = static_cast<size_t>(level);
  const int terms = level == 0 ? shape.terms : shape.outputs[l - 1];
  std::string out = text("  reg signed [{}:0] level{} [0:{} * LANES - 1];\n", shape.bits[l] - 1,
                         level, shape.outputs[l]);
  out += "  always @(posedge clk)\n    for (lane = 0; lane < LANES; lane = lane + 1) begin\n";
  for (int j = 0; j < shape.outputs[l]; ++j) {
    out += text("      level{}[{} * LANES + lane] <= ", level, j);
    for (int i = shape.arity * j; i < terms && i < shape.arity * (j + 1); ++i)
      out += (i > shape.arity * j ? "\n          + " : "") + operand(level, i);
    out += ";\n";
  }
  return out + "    end\n";
}

constexpr const char* kColumnComment = R"V(
// Windows and weights in; tile sums, spikes and membranes out. A window offered before a rising
// edge reaches the tile sums ARRAY_LATENCY edges later. `load` takes `weights` with the window;
// they are held inside. weights: [input][lane] bytes, input = (row * 3 + column) * P + channel.
module firefly_column #()V";

constexpr const char* kPorts = R"V() (
    input clk, input window_valid, input [9*P-1:0] window, input load,
    input [72*P*LANES-1:0] weights, input [15:0] last_pixel, input [15:0] last_ci,
    input [15:0] last_step, input half_after, input every_pass, input winner,
    input signed [17:0] threshold, input [16*LANES-1:0] bias, output sum_valid,
    output [16*LANES-1:0] sums, output out_valid, output out_last, output [LANES-1:0] fired,
    output [18*LANES-1:0] membrane);
)V";

constexpr const char* kArrayBody = R"(
  // Fabric registers.
  reg [9*P-1:0] window_f = 0;
  reg [72*P*LANES-1:0] weights_f = 0;
  reg load_f = 0;
  reg [ARRAY_LATENCY-1:0] valid_f = 0;
  assign sum_valid = valid_f[ARRAY_LATENCY-1];
  always @(posedge clk) begin
    window_f <= window;
    load_f <= load;
    if (load) weights_f <= weights;
    valid_f <= {valid_f, window_valid};
  end

  wire [47:0] product [0:TERMS*LANES/4-1];
  genvar term, group, i;
  generate
    for (term = 0; term < TERMS; term = term + 1) begin : row
      for (group = 0; group < LANES / 4; group = group + 1) begin : element
        wire [64*LENGTH-1:0] held;
        for (i = 0; i < 2 * LENGTH; i = i + 1) begin : input_of
          assign held[32*i +: 32] = weights_f[8*LANES*(2*LENGTH*term+i) + 32*group +: 32];
        end
        firefly_chain #(.LENGTH(LENGTH)) chain (
            .clk(clk), .load(load_f), .weights(held), .spikes(window_f[2*LENGTH*term +: 2*LENGTH]),
            .p(product[term * LANES / 4 + group]));
      end
    end
  endgenerate

  integer lane;
)";

constexpr const char* kNeuronInstance = R"(
  firefly_neuron #(.LANES(LANES), .DEPTH(DEPTH), .LEVELS(MAXIMUM_LEVELS)) neurons (
      .clk(clk), .last_pixel(last_pixel), .last_ci(last_ci), .last_step(last_step),
      .half_after(half_after), .every_pass(every_pass), .winner(winner), .threshold(threshold),
      .bias(bias), .sum_valid(sum_valid), .sums(sums), .out_valid(out_valid), .out_last(out_last),
      .fired(fired), .membrane(membrane));
endmodule
)";

}  // namespace

std::string emit_column(const Config& config, int lanes, int depth) {
  const int p = config.parallelism;
  if (lanes < kSliceLanes || lanes > p || p % lanes != 0 || lanes % kSliceLanes != 0)
    fail("column: lanes must be a divisor of P = {} and a multiple of 4, got {}", p, lanes);
  if (depth < 1) fail("column: depth must be >= 1, got {}", depth);
  const bool cascade = config.datapath == Datapath::kCascade;
  const ArrayShape shape = array_shape(config.datapath, p);
  std::string out = text("// FireFly, data path {}, P = {}, {} lanes.\n",
                         cascade ? "cascade" : "tree", p, lanes);
  const std::pair<const char*, int> sizes[] = {
      {"P", p}, {"LANES", lanes}, {"DEPTH", depth}, {"TERMS", shape.terms},
      {"LENGTH", cascade ? kChainLength : 1}, {"ARRAY_LATENCY", shape.latency()},
      {"MAXIMUM_LEVELS", membrane_latency(p) - 3}};
  out += kSliceModule;
  out += kNeuronModule;
  out += kColumnComment;
  const char* separator = "";
  for (const auto& [name, value] : sizes) {
    out += text("{}\n    parameter {} = {}", separator, name, value);
    separator = ",";
  }
  out += kPorts;
  out += kArrayBody;
  for (int level = 0; level < shape.levels; ++level) out += adder_level(shape, level);
  // Wider sums lose their upper bits, as released.
  out += text(R"(
  genvar l;
  generate
    for (l = 0; l < LANES; l = l + 1) begin : cut
      wire signed [{}:0] whole = level{}[l];
      assign sums[16*l +: 16] = whole[15:0];
    end
  endgenerate
)", shape.bits[static_cast<size_t>(shape.levels - 1)] - 1, shape.levels - 1);
  return out + kNeuronInstance;
}

}  // namespace lampyris::firefly

// The parts of verilog_column.h that do not depend on the configuration.
#pragma once

namespace lampyris::firefly {

inline constexpr const char* kSliceModule = R"(
// One DSP48E2 in FOUR12: P <= PCIN + (A:B or 0) + (C or 0), every lane modulo 2^12.
module firefly_slice #(parameter CASCADED = 0) (
    input clk, input load, input [31:0] weights_ab, input [31:0] weights_c,
    input take_ab, input take_c, input [47:0] pcin, output [47:0] p);
  function [47:0] widen(input [31:0] w);
    widen = {{4{w[31]}}, w[31:24], {4{w[23]}}, w[23:16], {4{w[15]}}, w[15:8], {4{w[7]}}, w[7:0]};
  endfunction
  wire [47:0] ab = widen(weights_ab);
  wire [47:0] c = widen(weights_c);
`ifdef LAMPYRIS_DSP48E1
  // The older slice has no W multiplexer: C goes through Y, as in the released source.
  wire [2:0] z = CASCADED ? 3'b001 : 3'b000;
  DSP48E1 #(.USE_MULT("NONE"), .USE_SIMD("FOUR12"), .MREG(0)) dsp (
      .CLK(clk), .A(ab[47:18]), .B(ab[17:0]), .C(c), .PCIN(pcin), .P(p),
      .OPMODE({z, {2{take_c}}, {2{take_ab}}}), .ALUMODE(4'b0), .INMODE(5'b10001), .D(25'b0),
      .ACIN(30'b0), .BCIN(18'b0), .CARRYCASCIN(1'b0), .CARRYIN(1'b0), .CARRYINSEL(3'b0),
      .MULTSIGNIN(1'b0), .CEA1(1'b0), .CEA2(load), .CEB1(1'b0), .CEB2(load), .CEC(load),
      .CECTRL(1'b1), .CEP(1'b1), .CEAD(1'b0), .CEALUMODE(1'b1), .CECARRYIN(1'b1), .CED(1'b0),
      .CEINMODE(1'b1), .CEM(1'b0), .RSTA(1'b0), .RSTALLCARRYIN(1'b0), .RSTALUMODE(1'b0),
      .RSTB(1'b0), .RSTC(1'b0), .RSTCTRL(1'b0), .RSTD(1'b0), .RSTINMODE(1'b0), .RSTM(1'b0),
      .RSTP(1'b0));
`else
  reg [47:0] ab_r = 0, c_r = 0, p_r = 0;
  reg take_ab_r = 0, take_c_r = 0;
  wire [47:0] x = take_ab_r ? ab_r : 48'b0;
  wire [47:0] y = take_c_r ? c_r : 48'b0;
  wire [47:0] z = CASCADED ? pcin : 48'b0;
  assign p = p_r;
  always @(posedge clk) begin
    p_r <= {x[47:36] + y[47:36] + z[47:36], x[35:24] + y[35:24] + z[35:24],
            x[23:12] + y[23:12] + z[23:12], x[11:0] + y[11:0] + z[11:0]};
    take_ab_r <= take_ab;
    take_c_r <= take_c;
    if (load) begin
      ab_r <= ab;
      c_r <= c;
    end
  end
`endif
endmodule

// Slices from PCOUT to PCIN; slice k sees its operands k clocks late.
module firefly_chain #(parameter LENGTH = 8) (
    input clk, input load, input [64*LENGTH-1:0] weights, input [2*LENGTH-1:0] spikes,
    output [47:0] p);
  wire [47:0] link [0:LENGTH];
  assign link[0] = 48'b0;
  assign p = link[LENGTH];
  genvar k;
  generate
    for (k = 0; k < LENGTH; k = k + 1) begin : position
      wire [2:0] now = {load, spikes[2*k+1], spikes[2*k]};
      wire [2:0] late;
      if (k == 0) begin : direct
        assign late = now;
      end else begin : skewed
        reg [3*k-1:0] skew = 0;
        always @(posedge clk) skew <= {skew, now};
        assign late = skew[3*k-1 -: 3];
      end
      firefly_slice #(.CASCADED(k > 0)) slice (
          .clk(clk), .load(late[2]), .weights_ab(weights[64*k +: 32]),
          .weights_c(weights[64*k+32 +: 32]), .take_ab(late[0]), .take_c(late[1]),
          .pcin(link[k]), .p(link[k+1]));
    end
  endgenerate
endmodule
)";

inline constexpr const char* kNeuronModule = R"(
// Membrane unit: read, add, maximum tree, compare and write back. One word a pixel is partial sum
// and membrane; it wraps at 18 bits. Fields last_* hold the count minus one.
module firefly_neuron #(parameter LANES = 4, parameter DEPTH = 64, parameter LEVELS = 4) (
    input clk, input [15:0] last_pixel, input [15:0] last_ci, input [15:0] last_step,
    input half_after, input every_pass, input winner, input signed [17:0] threshold,
    input [16*LANES-1:0] bias, input sum_valid, input [16*LANES-1:0] sums,
    output reg out_valid, output reg out_last, output reg [LANES-1:0] fired,
    output reg [18*LANES-1:0] membrane);
  reg [18*LANES-1:0] words [0:DEPTH-1];
  reg [15:0] pixel = 0, ci = 0, step = 0;
  reg valid_r = 0, last_r = 0;
  reg [15:0] pixel_r = 0;
  reg [16*LANES-1:0] sums_r = 0;
  reg [18*LANES-1:0] v_r = 0;
  // [0] is behind the adder, [j] behind level j of the maximum tree.
  reg [LEVELS:0] valid_d = 0, last_d = 0;
  reg [15:0] pixel_d [0:LEVELS];
  reg [18*LANES-1:0] v_d [0:LEVELS];
  reg [18*LANES-1:0] most_d [0:LEVELS];
  reg [18*LANES-1:0] next, top;
  reg [LANES-1:0] fires;
  integer lane, level;
  initial out_valid = 0;

  function [17:0] charge(input signed [17:0] v, input signed [15:0] s, input signed [15:0] b,
                         input last, input halve);
    reg signed [17:0] x;
    begin
      x = v + s;
      if (last) x = x + b;
      charge = halve ? x >>> 1 : x;
    end
  endfunction

  function [17:0] larger(input signed [17:0] a, input signed [17:0] b);
    larger = a > b ? a : b;
  endfunction

  function fire(input signed [17:0] v, input signed [17:0] most, input signed [17:0] theta,
                input wins);
    fire = wins ? v >= most : v > theta;
  endfunction

  always @(posedge clk) begin
    valid_r <= sum_valid;
    if (sum_valid) begin
      sums_r <= sums;
      v_r <= ci == 0 && step == 0 ? 0 : words[pixel];
      pixel_r <= pixel;
      last_r <= ci == last_ci;
      pixel <= pixel == last_pixel ? 0 : pixel + 1;
      if (pixel == last_pixel) begin
        ci <= ci == last_ci ? 0 : ci + 1;
        if (ci == last_ci) step <= step == last_step ? 0 : step + 1;
      end
    end

    valid_d <= {valid_d, valid_r};
    last_d <= {last_d, last_r};
    for (lane = 0; lane < LANES; lane = lane + 1)
      next[18*lane +: 18] = charge(v_r[18*lane +: 18], sums_r[16*lane +: 16], bias[16*lane +: 16],
                                   last_r, every_pass || (half_after && last_r));
    v_d[0] <= next;
    most_d[0] <= next;
    pixel_d[0] <= pixel_r;
    for (level = 0; level < LEVELS; level = level + 1) begin
      top = most_d[level];
      for (lane = 0; lane < LANES >> (level + 1); lane = lane + 1)
        top[18*lane +: 18] = larger(top[18*lane +: 18],
                                    top[18*(lane + (LANES >> (level + 1))) +: 18]);
      most_d[level+1] <= top;
      v_d[level+1] <= v_d[level];
      pixel_d[level+1] <= pixel_d[level];
    end

    out_valid <= valid_d[LEVELS];
    out_last <= last_d[LEVELS];
    if (valid_d[LEVELS]) begin
      next = v_d[LEVELS];
      top = most_d[LEVELS];
      for (lane = 0; lane < LANES; lane = lane + 1) begin
        fires[lane] = last_d[LEVELS] && fire(next[18*lane +: 18], top[17:0], threshold, winner);
        if (fires[lane] && !winner) next[18*lane +: 18] = 0;
      end
      fired <= fires;
      membrane <= next;
      words[pixel_d[LEVELS]] <= next;
    end
  end
endmodule
)";

}  // namespace lampyris::firefly

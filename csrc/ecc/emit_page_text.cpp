// The clocked part of the page decoder (emit_page_decoder.h).

namespace lampyris::ecc {

// $MODULE stands for the name, the other words with $ for the numbers of the code.
extern const char* const kPageDecoderText;
const char* const kPageDecoderText = R"(
module $MODULE(
  input wire clk,
  input wire reset,
  input wire in_valid,
  output wire in_ready,
  input wire [63:0] in_data,
  input wire [63:0] check,
  output wire out_valid,
  input wire out_ready,
  output wire [63:0] out_data,
  output reg [1:0] status,
  output reg [4:0] count
);
  localparam M = $M, T = $T, R = $R, WORDS = $WORDS, EXTENDED = $EXTENDED;
  localparam FILL = 0, JUDGE = 1, DELTA = 2, UPDATE = 3, SEARCH = 4, DECIDE = 5, DRAIN = 6;

  reg [2:0] phase;
  reg [$INDEX:0] place;
  reg [63:0] page [0:WORDS-1];
  reg [63:0] flips [0:WORDS-1];
  reg [R-1:0] state;
  reg [63:0] received;
  reg odd;

  wire [R-1:0] absorbed;
  $MODULE_absorb absorb(.state(state), .data(in_data), .next(absorbed));

  wire [(2*T-1)*M-1:0] syndromes;
  $MODULE_syndromes syndrome(.state(state), .parity(received[R-1:0]), .syndromes(syndromes));
  wire odd_word = EXTENDED ? odd ^ (^received[R:0]) : 1'b0;
  wire padding = |(received >> (R + EXTENDED));

  // Berlekamp-Massey without inversion, every second step left out.
  reg [(T+1)*M-1:0] lambda, shift;
  reg [M-1:0] scale, delta;
  reg [4:0] step, length;
  wire [M-1:0] scaled [0:T], moved [0:T], term [0:T];
  wire [M-1:0] operand [0:T];
  wire [(T+1)*M-1:0] lambda_next;
  reg [M-1:0] discrepancy;
  genvar g;
  generate
    for (g = 0; g <= T; g = g + 1) begin : lane
      // S(2 step + 1 - g), none below S1
      assign operand[g] = 2 * step >= g ? syndromes[(2 * step - g) * M +: M] : {M{1'b0}};
      $MODULE_multiply by_syndrome(.a(lambda[g*M +: M]), .b(operand[g]), .c(term[g]));
      $MODULE_multiply by_scale(.a(scale), .b(lambda[g*M +: M]), .c(scaled[g]));
      $MODULE_multiply by_delta(.a(delta), .b(shift[g*M +: M]), .c(moved[g]));
      assign lambda_next[g*M +: M] = scaled[g] ^ moved[g];
    end
  endgenerate
  integer k;
  always @* begin
    discrepancy = {M{1'b0}};
    for (k = 0; k <= T; k = k + 1) discrepancy = discrepancy ^ term[k];
  end
  wire grow = (delta != 0) && (length <= step);

  // Roots at 64 positions a clock: first those of the parity, then word by word.
  wire [(T+1)*M-1:0] first_points, next_points;
  wire [63:0] hits;
  $MODULE_start start(.lambda(lambda), .points(first_points));
  $MODULE_advance advance(.lambda(lambda), .points(next_points));
  $MODULE_search search(.lambda(lambda), .hits(hits));
  wire [63:0] valid_hits = place == 0 ? hits & ~64'd0 << (64 - R) : hits;
  reg [$COUNT:0] roots;
  reg [6:0] found;
  always @* begin
    found = 0;
    for (k = 0; k < 64; k = k + 1) found = found + {6'd0, valid_hits[k]};
  end
  wire extra = EXTENDED ? odd_word ^ length[0] : 1'b0;
  wire [4:0] wrong = length + {4'd0, extra};

  assign in_ready = phase == FILL;
  assign out_valid = phase == DRAIN;
  assign out_data = page[place] ^ (status == 2'd1 ? flips[place] : 64'd0);

  always @(posedge clk) begin
    if (reset) begin
      phase <= FILL;
      place <= 0;
      state <= 0;
      odd <= 0;
    end else case (phase)
      FILL: if (in_valid) begin
        page[place] <= in_data;
        flips[place] <= 64'd0;
        state <= absorbed;
        odd <= odd ^ ^in_data;
        place <= place + 1;
        if (place == WORDS - 1) begin
          received <= check;
          phase <= JUDGE;
        end
      end
      JUDGE: begin
        place <= 0;
        step <= 0;
        length <= 0;
        roots <= 0;
        lambda <= 1;
        shift <= 1 << M;
        scale <= 1;
        count <= 0;
        status <= padding ? 2'd2 : 2'd0;
        if (padding || (syndromes == 0 && !odd_word)) phase <= DRAIN;
        else if (syndromes == 0) phase <= DECIDE;
        else phase <= DELTA;
      end
      DELTA: begin
        delta <= discrepancy;
        phase <= UPDATE;
      end
      UPDATE: begin
        lambda <= lambda_next;
        shift <= (grow ? lambda : shift) << 2 * M;
        if (grow) begin
          scale <= delta;
          length <= 2 * step + 1 - length;
        end
        step <= step + 1;
        phase <= step == T - 1 ? SEARCH : DELTA;
        if (step == T - 1) step <= 0;
      end
      SEARCH: if (step == 0) begin
        lambda <= first_points;
        step <= 1;
        place <= 0;
        if (length > T) begin
          status <= 2'd2;
          phase <= DRAIN;
        end
      end else begin
        roots <= roots + found;
        if (place != 0) flips[place - 1] <= valid_hits;
        lambda <= next_points;
        place <= place + 1;
        if (place == WORDS) phase <= DECIDE;
      end
      DECIDE: begin
        place <= 0;
        status <= roots == length && wrong <= T ? 2'd1 : 2'd2;
        count <= roots == length && wrong <= T ? wrong : 5'd0;
        phase <= DRAIN;
      end
      DRAIN: if (out_ready) begin
        place <= place + 1;
        if (place == WORDS - 1) begin
          phase <= FILL;
          place <= 0;
          state <= 0;
          odd <= 0;
        end
      end
      default: phase <= FILL;
    endcase
  end
endmodule
)";

}  // namespace lampyris::ecc

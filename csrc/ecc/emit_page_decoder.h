// The decoder of a page of weights as Verilog, for the path between memory and accelerator.
#pragma once

#include <string>

#include "ecc/bch_code.h"

namespace lampyris::ecc {

// A clocked module that takes a page as words of 64 bits (low bits first) and its check word, and
// returns the corrected page with its status; around it combinational modules, named after it, from
// the netlist generator: remainder, syndromes, field multiplier, root search. Refuses pages that
// are no whole words, and codes with more than 63 parity bits and the overall one.
//
// Ports: clk, reset; in_valid, in_ready, in_data[64], check[64] (read with the last word);
// out_valid, out_ready, out_data[64], status[2] (0 clean, 1 corrected, 2 uncorrectable: data as
// they came), count (bits wrong, of data, parity and overall parity).
std::string page_decoder_verilog(const BchCode& code, const std::string& module);

}  // namespace lampyris::ecc

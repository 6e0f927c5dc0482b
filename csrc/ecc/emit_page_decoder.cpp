#include "ecc/emit_page_decoder.h"

#include "core/error.h"
#include "ecc/emit_netlist.h"
#include "ecc/netlist_field.h"

namespace lampyris::ecc {

extern const char* const kPageDecoderText;  // emit_page_text.cpp

namespace {

constexpr int kWord = 64;

// x^(exponent) mod g for negative and positive exponents, one after another.
struct Powers {
  const Gf2Polynomial& g;
  Gf2Polynomial value{1};
  void up() {
    value = value << 1;
    if (value.coefficient(g.degree())) value ^= g;
  }
  void down() {
    if (value.coefficient(0)) value ^= g;
    Gf2Polynomial half;
    for (const int e : value.exponents()) half.flip(e - 1);
    value = half;
  }
};

void add_output_map(Netlist& net, const std::string& name, const std::vector<Signal>& columns,
                    const Rows& rows) {
  net.add_output(name, linear_map(net, columns, rows, Sharing::kCse));
  net.sweep();
}

std::vector<Signal> join(std::vector<Signal> a, const std::vector<Signal>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// next = (state + data) x^-64 mod g: after all words the page times x^(-bits).
Netlist absorb_net(const Gf2Polynomial& g) {
  const int r = g.degree();
  Netlist net;
  const auto columns = join(net.add_input("state", r), net.add_input("data", kWord));
  Powers power{g};
  for (int i = 0; i < kWord; ++i) power.down();
  Rows rows(r);
  for (int i = 0; i < kWord; ++i, power.up())
    for (const int j : power.value.exponents()) {
      if (i < r) rows[j].push_back(i);
      rows[j].push_back(r + i);
    }
  add_output_map(net, "next", columns, rows);
  return net;
}

// S1 .. S(2t-1), m bits each, from the absorbed page and the received parity.
Netlist syndrome_net(const BchCode& code) {
  const int r = code.generator_degree(), m = code.field().m(), t = code.parameters().t;
  const int64_t order = code.field().order();
  Netlist net;
  const auto columns = join(net.add_input("state", r), net.add_input("parity", r));
  Rows rows((2 * t - 1) * m);
  for (int j = 1; j < 2 * t; ++j)
    for (int i = 0; i < 2 * r; ++i) {
      const int64_t exponent = i < r ? i + code.data_bits() + r : i - r;
      const uint32_t value = code.field().exp(static_cast<int>(exponent * j % order));
      for (int bit = 0; bit < m; ++bit)
        if (value >> bit & 1) rows[(j - 1) * m + bit].push_back(i);
    }
  add_output_map(net, "syndromes", columns, rows);
  return net;
}

// Coefficient k times alpha^(k exponent) of each of `exponents`, summed over k (or each by itself).
Netlist constant_net(const BchCode& code, const std::string& output,
                     const std::vector<int64_t>& exponents, bool sum) {
  const int m = code.field().m(), t = code.parameters().t;
  const int64_t order = code.field().order();
  Netlist net;
  const auto columns = net.add_input("lambda", (t + 1) * m);
  Rows rows(sum ? exponents.size() * m : static_cast<size_t>((t + 1) * m));
  for (size_t p = 0; p < exponents.size(); ++p)
    for (int k = 0; k <= t; ++k)
      for (int i = 0; i < m; ++i) {
        const int64_t e = ((exponents[p] * k + i) % order + order) % order;
        const uint32_t value = code.field().exp(static_cast<int>(e));
        for (int bit = 0; bit < m; ++bit)
          if (value >> bit & 1)
            rows[(sum ? p : static_cast<size_t>(k)) * m + bit].push_back(k * m + i);
      }
  auto values = linear_map(net, columns, rows, Sharing::kCse);
  if (sum) {
    std::vector<Signal> hits;
    for (size_t p = 0; p < exponents.size(); ++p)
      hits.push_back(net.lnot(net.or_all({values.begin() + p * m, values.begin() + (p + 1) * m})));
    values = hits;
  }
  net.add_output(output, values);
  net.sweep();
  return net;
}

Netlist multiply_net(const BchCode& code) {
  const Gf2Polynomial f(code.field().primitive());
  Netlist net;
  const auto a = net.add_input("a", f.degree()), b = net.add_input("b", f.degree());
  net.add_output("c", multiply(net, a, b, f, Form::kTwoStep, Sharing::kCse));
  net.sweep();
  return net;
}

std::string replace_all(std::string from, const std::string& what, const std::string& by) {
  for (size_t at = from.find(what); at != std::string::npos; at = from.find(what, at + by.size()))
    from.replace(at, what.size(), by);
  return from;
}

int width_of(int64_t largest) {
  int bits = 1;
  while (largest >> bits) ++bits;
  return bits;
}

}  // namespace

std::string page_decoder_verilog(const BchCode& code, const std::string& module) {
  const BchParameters& p = code.parameters();
  const int r = code.generator_degree();
  if (p.data_bits % kWord != 0 || p.data_bits < 2 * kWord)
    fail("page decoder: data_bits must be a multiple of {} and at least {}, got {}", kWord,
         2 * kWord, p.data_bits);
  constexpr int kMostParity = 63, kMostErrors = 7;
  if (r > kMostParity) fail("page decoder: parity bits must be at most {}, got {}", kMostParity, r);
  if (p.t < 2 || p.t > kMostErrors)
    fail("page decoder: t must lie in 2..{}, got {}", kMostErrors, p.t);
  std::vector<int64_t> positions;
  for (int i = 0; i < kWord; ++i) positions.push_back(-i);
  const int64_t words = p.data_bits / kWord;
  std::string out =
      to_verilog(absorb_net(code.generator()), module + "_absorb") +
      to_verilog(syndrome_net(code), module + "_syndromes") +
      to_verilog(multiply_net(code), module + "_multiply") +
      to_verilog(constant_net(code, "points", {kWord - r}, false), module + "_start") +
      to_verilog(constant_net(code, "points", {-kWord}, false), module + "_advance") +
      to_verilog(constant_net(code, "hits", positions, true), module + "_search");
  std::string clocked = kPageDecoderText;
  const std::pair<const char*, std::string> values[] = {
      {"$MODULE", module},
      {"$M,", text("{},", code.field().m())},
      {"$T,", text("{},", p.t)},
      {"$R,", text("{},", r)},
      {"$WORDS", text("{}", words)},
      {"$EXTENDED", p.extended ? "1" : "0"},
      {"$INDEX", text("{}", width_of(words) - 1)},
      {"$COUNT", text("{}", width_of(p.data_bits + kWord) - 1)}};
  for (const auto& [what, by] : values) clocked = replace_all(clocked, what, by);
  return out + clocked;
}

}  // namespace lampyris::ecc

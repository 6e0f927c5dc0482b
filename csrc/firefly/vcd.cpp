#include "firefly/vcd.h"

#include "core/error.h"

namespace lampyris::firefly {

namespace {

constexpr int kFirstCode = 33, kCodes = 94;  // printable ASCII
constexpr int kMostBits = 64;

std::string code_of(size_t number) {
  std::string code;
  do {
    code += static_cast<char>(kFirstCode + number % kCodes);
    number /= kCodes;
  } while (number > 0);
  return code;
}

// Names without blanks or brackets, which viewers take apart.
std::string plain(std::string name) {
  for (char& c : name)
    if (c <= ' ' || c == '[' || c == ']' || c == '$' || c > '~') c = '_';
  return name;
}

std::string digits(uint64_t value) {
  std::string text;
  do {
    text.insert(text.begin(), static_cast<char>('0' + (value & 1)));
    value >>= 1;
  } while (value > 0);
  return text;
}

}  // namespace

int VcdWriter::add(std::string name, int bits) {
  if (bits < 1 || bits > kMostBits)
    fail("vcd: bits of {} must be 1 to {}, got {}", name, kMostBits, bits);
  signals_.push_back({plain(std::move(name)), code_of(signals_.size()), bits});
  return static_cast<int>(signals_.size()) - 1;
}

void VcdWriter::set(int signal, int64_t value) {
  Signal& s = signals_.at(static_cast<size_t>(signal));
  s.value = static_cast<uint64_t>(value);
  if (s.bits < kMostBits) s.value &= (uint64_t{1} << s.bits) - 1;
  s.known = true;
}

void VcdWriter::tick(int64_t picoseconds) {
  if (picoseconds <= time_)
    fail("vcd: time must rise beyond {} ps, got {}", time_, picoseconds);
  time_ = picoseconds;
  std::string lines;
  for (Signal& s : signals_) {
    if (!s.known || (s.written && s.shown == s.value)) continue;
    lines += s.bits == 1 ? text("{}{}\n", s.value, s.code)
                         : text("b{} {}\n", digits(s.value), s.code);
    s.shown = s.value, s.written = true;
  }
  if (!lines.empty()) changes_ += text("#{}\n", picoseconds) + lines;
}

std::string VcdWriter::finish() const {
  std::string file = "$version lampyris firefly $end\n$timescale 1 ps $end\n";
  for (const std::string& scope : scopes_) file += text("$scope module {} $end\n", plain(scope));
  for (const Signal& s : signals_) {
    const std::string range = s.bits > 1 ? text(" [{}:0]", s.bits - 1) : "";
    file += text("$var wire {} {} {}{} $end\n", s.bits, s.code, s.name, range);
  }
  for (size_t i = 0; i < scopes_.size(); ++i) file += "$upscope $end\n";
  file += "$enddefinitions $end\n$dumpvars\n";
  for (const Signal& s : signals_) file += text("{}{}\n", s.bits == 1 ? "x" : "bx ", s.code);
  return file + "$end\n" + changes_ + text("#{}\n", time_ + 1);
}

}  // namespace lampyris::firefly

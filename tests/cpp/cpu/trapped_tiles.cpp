#include "cpu/trapped_tiles.h"

#if defined(LAMPYRIS_TRAPPED_TILES)
#include <ucontext.h>

#include <atomic>
#include <csignal>
#include <optional>

namespace lampyris {

namespace {

// Nothing is allocated within the handler.
constinit thread_local TileState tiles;
constinit thread_local bool live = false;
std::atomic<int64_t> count{0};

constexpr int kRegisters[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                REG_R12, REG_R13, REG_R14, REG_R15};

// VEX prefix of three bytes, opcode, ModRM, SIB, displacement (Intel SDM volume 2, chapter 2).
struct Instruction {
  int prefix = 0, opcode = 0, reg = 0, rm = 0, third = 0;
  bool memory = false;
  char* address = nullptr;
  int64_t stride = 0;  // the scaled index
  int64_t length = 0;
};

std::optional<Instruction> decode(const uint8_t* code, const greg_t* registers) {
  if (code[0] != 0xC4 || (code[1] & 0x1F) != 2 || (code[2] & 0x84) != 0) return std::nullopt;
  const auto value = [&](int r) { return static_cast<int64_t>(registers[kRegisters[r]]); };
  Instruction in;
  in.prefix = code[2] & 3;  // none, 66, F3, F2
  in.third = ~code[2] >> 3 & 15;
  in.opcode = code[3];
  const int modrm = code[4], mod = modrm >> 6;
  const int more_index = code[1] & 0x40 ? 0 : 8, more_base = code[1] & 0x20 ? 0 : 8;
  in.reg = modrm >> 3 & 7;
  in.rm = modrm & 7;
  in.memory = mod != 3;
  in.length = 5;
  if (!in.memory) return in;
  int64_t address = 0;
  bool wide = mod == 2;
  if (in.rm == 4) {
    const int sib = code[in.length++], index = (sib >> 3 & 7) + more_index;
    if (index != 4) in.stride = value(index) << (sib >> 6);
    if ((sib & 7) == 5 && mod == 0) {
      wide = true;
    } else {
      address = value((sib & 7) + more_base);
    }
  } else if (in.rm == 5 && mod == 0) {
    wide = true;
    address = reinterpret_cast<int64_t>(code) + in.length + 4;  // relative to the next one
  } else {
    address = value(in.rm + more_base);
  }
  if (wide) {
    int32_t offset;
    std::memcpy(&offset, code + in.length, sizeof offset);
    in.length += 4;
    address += offset;
  } else if (mod == 1) {
    address += static_cast<int8_t>(code[in.length++]);
  }
  in.address = reinterpret_cast<char*>(address);
  return in;
}

enum { kNone = 0, k66 = 1, kF3 = 2, kF2 = 3 };

bool configure(const Instruction& in) {
  if (in.memory && in.prefix == kNone) {
    TileConfig config;
    std::memcpy(&config, in.address, sizeof config);
    if (config.palette != 1 || config.start_row != 0) return false;
    for (const uint8_t byte : config.reserved)
      if (byte != 0) return false;
    for (int t = 0; t < 16; ++t) {
      const bool used = t < kTiles && config.rows[t] <= kTileRows && config.colsb[t] <= kTileBytes;
      if (!used && (config.rows[t] != 0 || config.colsb[t] != 0)) return false;
    }
    tiles = TileState(config);
    live = true;
    return true;
  }
  if (!in.memory && in.prefix == kNone) {
    live = false;  // tilerelease
    return true;
  }
  if (!in.memory && in.prefix == kF2 && live) {
    tiles.zero(in.reg);
    return true;
  }
  return false;
}

bool execute(const Instruction& in) {
  if (in.opcode == 0x49) return configure(in);
  if (!live) return false;
  if (in.opcode == 0x4B && in.memory && in.rm == 4) {
    if (in.prefix == kF3) {
      tiles.store(in.reg, in.address, in.stride);
    } else if (in.prefix == kF2 || in.prefix == k66) {
      tiles.load(in.reg, in.address, in.stride);
    } else {
      return false;
    }
    return true;
  }
  if (in.memory) return false;
  if (in.opcode == 0x5C && in.prefix == kF3) {
    tiles.dot_bf16(in.reg, in.rm, in.third);
  } else if (in.opcode == 0x5E && in.prefix == k66) {
    tiles.dot_bytes<uint8_t>(in.reg, in.rm, in.third);
  } else if (in.opcode == 0x5E && in.prefix == kF2) {
    tiles.dot_bytes<int8_t>(in.reg, in.rm, in.third);
  } else {
    return false;
  }
  return true;
}

void on_illegal(int signal, siginfo_t*, void* context) {
  greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const auto* code = reinterpret_cast<const uint8_t*>(registers[REG_RIP]);
  const std::optional<Instruction> in = decode(code, registers);
  if (in && execute(*in)) {
    registers[REG_RIP] += in->length;
    count.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  std::signal(signal, SIG_DFL);  // not a valid tile instruction: runs into it again and dies
}

}  // namespace

TileTraps::TileTraps() {
  static const bool installed = [] {
    if (isa_available() == Isa::kAmx) return false;
    struct sigaction action = {};
    action.sa_sigaction = on_illegal;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGILL, &action, nullptr);
    return true;
  }();
  static_cast<void>(installed);
}

bool TileTraps::configured() { return live; }
bool TileTraps::handled() { return count.load() > 0; }
int64_t TileTraps::instructions() { return count.load(); }

}  // namespace lampyris
#endif

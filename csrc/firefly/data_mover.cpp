#include "firefly/data_mover.h"

#include <algorithm>

#include "firefly/area.h"
#include "firefly/timing.h"

namespace lampyris::firefly {

namespace {

constexpr uint32_t kAxiPage = 4096;
constexpr int kTypeBit = 23, kEofBit = 30;

// Blocks of an area in the order (t)(tile); each cut at the limit, cuts on bus words.
class Lister {
 public:
  Lister(const Config& config, std::vector<Transfer>& out) : config_(config), out_(out) {}

  void block(Mover mover, uint64_t address, int64_t bytes) {
    const bool output = mover == Mover::kOutput || mover == Mover::kStreamOut;
    const int64_t limit = output ? config_.max_output_transfer() : config_.max_transfer();
    const int64_t most = limit - bus_bytes(mover, config_);
    for (int64_t done = 0; done < bytes; done += most)
      out_.push_back({mover, static_cast<uint32_t>(address + static_cast<uint64_t>(done)),
                      static_cast<uint32_t>(std::min(most, bytes - done))});
  }

 private:
  const Config& config_;
  std::vector<Transfer>& out_;
};

}  // namespace

std::string_view mover_name(Mover mover) {
  constexpr std::array<std::string_view, 5> kNames = {"parameters", "input", "output", "stream_in",
                                                      "stream_out"};
  return kNames[static_cast<size_t>(mover)];
}

MoverWord encode_transfer(const Transfer& transfer) {
  const uint32_t low = (transfer.bytes & ((1u << kMoverLengthBits) - 1)) | 1u << kTypeBit |
                       1u << kEofBit;
  MoverWord word{};
  for (size_t i = 0; i < 4; ++i) {
    word[i] = static_cast<uint8_t>(low >> 8 * i);
    word[i + 4] = static_cast<uint8_t>(transfer.address >> 8 * i);
  }
  return word;
}

Transfer decode_transfer(const MoverWord& word, Mover mover) {
  Transfer transfer{mover, 0, 0};
  for (size_t i = 0; i < 4; ++i) {
    transfer.bytes |= uint32_t{word[i]} << 8 * i;
    transfer.address |= uint32_t{word[i + 4]} << 8 * i;
  }
  transfer.bytes &= (1u << kMoverLengthBits) - 1;
  return transfer;
}

std::vector<Transfer> transfers_of(const V1Command& c, const Config&) {
  std::vector<Transfer> all = {{Mover::kParameters, c.bias, c.bias_bytes},
                               {Mover::kParameters, c.weights, c.weight_bytes}};
  for (int tile = 0; tile < c.co_tiles; ++tile)
    all.push_back({Mover::kInput, c.input, c.input_bytes});
  for (int tile = 0; tile < c.co_tiles; ++tile)
    for (int t = 0; t < c.steps; ++t)
      all.push_back({Mover::kOutput, static_cast<uint32_t>(area_block(c.output, t, tile)),
                     c.output_bytes});
  return all;
}

std::vector<Transfer> transfers_of(const Command& c, const Config& config) {
  std::vector<Transfer> all;
  Lister list(config, all);
  const int64_t spike = spike_pixel_bytes(config.parallelism);
  const int64_t stream = stream_pixel_bytes(config.parallelism);
  const int64_t in = int64_t{c.in_h} * c.in_w, out = int64_t{c.out_h} * c.out_w;
  const bool conv = c.op == Op::kConv;
  const bool spikes_in = conv || (c.op != Op::kNeuron && c.spikes_out);
  if (c.bias_bytes) list.block(Mover::kParameters, c.bias, c.bias_bytes);
  const int64_t set_bytes = c.weight_bytes / c.co_tiles;
  const int repeats = weight_passes(c, config);
  for (int tile = 0; tile < c.co_tiles; ++tile) {
    for (int pass = 0; pass < (conv ? repeats : 0); ++pass)
      list.block(Mover::kParameters, c.weights + static_cast<uint64_t>(tile * set_bytes),
                 set_bytes);
    for (int t = 0; t < c.steps; ++t) {
      for (int ci = 0; ci < (conv ? c.ci_tiles : 1); ++ci)
        list.block(spikes_in ? Mover::kInput : Mover::kStreamIn,
                   area_block(c.source, t, conv ? ci : tile), in * (spikes_in ? spike : stream));
      if (c.preload)
        list.block(Mover::kStreamIn, area_block(c.residual, t, tile), out * stream);
      if (c.spikes_out) list.block(Mover::kOutput, area_block(c.spikes, t, tile), out * spike);
      if (c.stream_out)
        list.block(Mover::kStreamOut, area_block(c.stream, t, tile), out * stream);
    }
    if (c.accumulate || c.membrane_out)
      list.block(Mover::kStreamOut, area_block(c.stream, 0, tile),
                 out * int32_pixel_bytes(config.parallelism));
  }
  return all;
}

int bus_bytes(Mover mover, const Config& config) {
  switch (mover) {
    case Mover::kParameters:
      return config.weight_bus_bytes;
    case Mover::kInput:
    case Mover::kOutput:
      return config.spike_bus_bytes;
    default:
      return config.stream_bus_bytes;
  }
}

std::vector<Burst> bursts_of(const Transfer& transfer, const Config& config) {
  const uint32_t bus = static_cast<uint32_t>(bus_bytes(transfer.mover, config));
  std::vector<Burst> bursts;
  uint64_t address = transfer.address;
  const uint64_t end = address + transfer.bytes;
  while (address < end) {
    const uint64_t page = (address / kAxiPage + 1) * kAxiPage;
    const uint64_t longest =
        (address / bus + static_cast<uint64_t>(config.burst_beats)) * uint64_t{bus};
    const uint64_t stop = std::min({end, page, longest});
    const int beats = static_cast<int>((stop + bus - 1) / bus - address / bus);
    bursts.push_back({static_cast<uint32_t>(address), beats});
    address = stop;
  }
  return bursts;
}

}  // namespace lampyris::firefly

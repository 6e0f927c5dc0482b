// One digit of the sought key from its histogram, by a team.
#pragma once

#include <cstdint>

#include "core/magnitude.h"
#include "core/team.h"

namespace lampyris {

// state[0]: the key's digits so far; state[1]: ranks left below it. `partial` holds size() counts.
template <class Team>
LAMPYRIS_TEAM void select_digit(const Team& team, const uint32_t* histogram, uint64_t* partial,
                                uint64_t* state, int digit) {
  const int64_t share = (kDigitValues + team.size() - 1) / team.size();
  const int64_t first = team.lane() * share;
  uint64_t own = 0;
  for (int64_t i = first; i < first + share && i < kDigitValues; ++i) own += histogram[i];
  partial[team.lane()] = own;
  team.sync();
  if (team.lane() != 0) return;
  uint64_t left = state[1];
  int64_t chunk = 0;
  for (; left >= partial[chunk]; ++chunk) left -= partial[chunk];
  int64_t value = chunk * share;
  for (; left >= histogram[value]; ++value) left -= histogram[value];
  state[0] |= static_cast<uint64_t>(value) << (kDigitBits * (kDigits - 1 - digit));
  state[1] = left;
}

}  // namespace lampyris

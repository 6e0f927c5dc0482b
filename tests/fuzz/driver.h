// A fuzz target is one source: `LLVMFuzzerTestOneInput` and `fuzz_seeds()`. Built with
// -DLAMPYRIS_LIBFUZZER it links with libFuzzer (clang -fsanitize=fuzzer); otherwise this driver
// gives it a main that any compiler builds:
//   fuzz_x [--seconds S | --runs N] [--seed N] [--write FOLDER] [FILE or FOLDER...]
// Every file is run once. Random changes of files and seeds follow for S seconds or N inputs, the
// same ones for the same seed; 5 seconds where neither is given and there is no file. --write keeps
// the seeds in a folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

using FuzzInput = std::vector<uint8_t>;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

// Valid inputs and fragments to start from.
std::vector<FuzzInput> fuzz_seeds();

#ifndef LAMPYRIS_LIBFUZZER

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

namespace fuzz {

inline constexpr size_t kMaxInput = 1 << 16;

// One to eight random edits: bits, bytes, digits, cuts, repeated and foreign parts.
inline FuzzInput mutate(FuzzInput input, const std::vector<FuzzInput>& seeds,
                        std::mt19937_64& random) {
  const auto below = [&](size_t n) { return n == 0 ? 0 : static_cast<size_t>(random() % n); };
  for (size_t edits = 1 + below(8); edits > 0; --edits) {
    const size_t at = below(input.size());
    const size_t length = 1 + below(std::min<size_t>(input.size() - at, 64));
    const auto place = input.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(8)) {
      case 0:
        if (!input.empty()) *place ^= static_cast<uint8_t>(1u << below(8));
        break;
      case 1:
        if (!input.empty()) *place = static_cast<uint8_t>(random());
        break;
      case 2:
        if (!input.empty()) *place = static_cast<uint8_t>("0123456789[]{}\",:\\-."[below(20)]);
        break;
      case 3:
        input.resize(at);
        break;
      case 4:
        if (!input.empty()) input.erase(place, place + static_cast<std::ptrdiff_t>(length));
        break;
      case 5:
        input.insert(place, 1 + below(16), static_cast<uint8_t>(random()));
        break;
      case 6: {
        const FuzzInput part(place, input.empty() ? place : place + std::ptrdiff_t(length));
        const auto target = input.begin() + std::ptrdiff_t(below(input.size()));
        input.insert(target, part.begin(), part.end());
        break;
      }
      default: {
        const FuzzInput& other = seeds[below(seeds.size())];
        const size_t from = below(other.size());
        const size_t count = std::min<size_t>(other.size() - from, 1 + below(64));
        const auto first = other.begin() + static_cast<std::ptrdiff_t>(from);
        input.insert(place, first, first + static_cast<std::ptrdiff_t>(count));
      }
    }
    if (input.size() > kMaxInput) input.resize(kMaxInput);
  }
  return input;
}

struct Options {
  double seconds = 0;
  uint64_t runs = 0, seed = 1;
  std::string write;
  std::vector<std::filesystem::path> files;
};

inline Options parse(int count, char** arguments) {
  namespace fs = std::filesystem;
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const bool more = i + 1 < count;
    if (argument == "--seconds" && more) {
      options.seconds = std::atof(arguments[++i]);
    } else if (argument == "--runs" && more) {
      options.runs = std::strtoull(arguments[++i], nullptr, 10);
    } else if (argument == "--seed" && more) {
      options.seed = std::strtoull(arguments[++i], nullptr, 10);
    } else if (argument == "--write" && more) {
      options.write = arguments[++i];
    } else if (fs::is_directory(argument)) {
      for (const auto& entry : fs::directory_iterator(argument))
        options.files.push_back(entry.path());
    } else {
      options.files.emplace_back(argument);
    }
  }
  std::sort(options.files.begin(), options.files.end());
  if (options.files.empty() && options.seconds == 0 && options.runs == 0) options.seconds = 5;
  return options;
}

inline int run(int count, char** arguments) {
  const Options options = parse(count, arguments);
  auto seeds = fuzz_seeds();
  for (size_t i = 0; i < seeds.size() && !options.write.empty(); ++i) {
    std::ofstream file(options.write + "/seed" + std::to_string(i), std::ios::binary);
    file.write(reinterpret_cast<const char*>(seeds[i].data()),
               static_cast<std::streamsize>(seeds[i].size()));
  }
  for (const auto& path : options.files) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
      return 1;
    }
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  for (const auto& input : seeds) LLVMFuzzerTestOneInput(input.data(), input.size());
  std::mt19937_64 random(options.seed);
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(options.seconds);
  uint64_t runs = 0;
  for (; runs < options.runs || (options.seconds > 0 && Clock::now() < end); ++runs) {
    const FuzzInput input = mutate(seeds[random() % seeds.size()], seeds, random);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%llu inputs from %zu seeds and files, seed %llu: no failure\n",
              static_cast<unsigned long long>(runs), seeds.size(),
              static_cast<unsigned long long>(options.seed));
  return 0;
}

}  // namespace fuzz

int main(int count, char** arguments) { return fuzz::run(count, arguments); }

#endif

// Weight images: any bytes are either refused with std::invalid_argument or read and written again
// to the same content. Each input is tried twice: as a file, and as header text, zero byte, data,
// with length and checksums made right, which reaches the checks behind the checksums.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>

#include "driver.h"
#include "firefly/image.h"
#include "firefly/image_layout.h"

namespace {

using lampyris::Image;
using Bytes = std::span<const uint8_t>;

[[noreturn]] void broken(const char* what) {
  std::fprintf(stderr, "fuzz_image: %s\n", what);
  std::abort();
}

void append_padded(FuzzInput& file, Bytes bytes, uint8_t padding) {
  file.insert(file.end(), bytes.begin(), bytes.end());
  file.resize(static_cast<size_t>(lampyris::align_up(static_cast<int64_t>(file.size()))), padding);
}

// A file of header text and data, divided by the first zero byte, with right length and checksums.
FuzzInput sealed(Bytes input) {
  const auto cut = std::find(input.begin(), input.end(), uint8_t{0});
  FuzzInput file(8);
  append_padded(file, Bytes(input.begin(), cut), ' ');
  const uint64_t length = file.size() - 8;
  std::memcpy(file.data(), &length, 8);
  const FuzzInput head = file;
  append_padded(file, Bytes(cut == input.end() ? cut : cut + 1, input.end()), 0);
  const auto footer = lampyris::make_footer(head, file.size() + lampyris::kFooterBytes);
  file.insert(file.end(), footer.begin(), footer.end());
  return file;
}

bool same(const Image& a, const Image& b) {
  return a.plan_json == b.plan_json && a.tensors.size() == b.tensors.size() &&
         std::equal(a.tensors.begin(), a.tensors.end(), b.tensors.begin(),
                    [](const auto& x, const auto& y) {
                      return x.name == y.name && x.dtype == y.dtype && x.bytes == y.bytes;
                    });
}

// A reader that goes on where pages are lost gives what it gives, but throws nothing else.
void try_policies(Bytes file) {
  using lampyris::OnUncorrectable;
  for (const auto policy : {OnUncorrectable::kZeroPage, OnUncorrectable::kZeroWeights}) {
    try {
      lampyris::read_image(file, {.strict = false, .on_uncorrectable = policy});
    } catch (const std::invalid_argument&) {
    }
  }
}

void try_file(Bytes file) {
  try_policies(file);
  Image image;
  try {
    image = lampyris::read_image(file);
  } catch (const std::invalid_argument& error) {
    if (std::strncmp(error.what(), "weight image: ", 14) != 0) broken(error.what());
    return;
  }
  if (!same(lampyris::read_image(lampyris::write_image(image)), image)) broken("image changed");
  const auto repaired = lampyris::repair_image(file);
  if (!same(lampyris::read_image(repaired, {.strict = true}), image)) broken("repair changed it");
}

}  // namespace

namespace {

// Header text, zero byte, data: what `sealed` makes a file of.
FuzzInput parts_of(const FuzzInput& file) {
  uint64_t length;
  std::memcpy(&length, file.data(), 8);
  FuzzInput parts(file.begin() + 8, file.begin() + 8 + static_cast<std::ptrdiff_t>(length));
  while (parts.back() == ' ') parts.pop_back();
  parts.push_back(0);
  parts.insert(parts.end(), file.begin() + 8 + static_cast<std::ptrdiff_t>(length),
               file.end() - lampyris::kFooterBytes);
  return parts;
}

}  // namespace

std::vector<FuzzInput> fuzz_seeds() {
  Image image;
  image.plan_json = R"({"T":4,"names":["a","\u00e9"],"none":null,"nested":[[{}]],"target":"ems"})";
  image.tensors = {{"layer.000.registers", lampyris::ImageDtype::kU32, FuzzInput(16)},
                   {"layer.000.weights", lampyris::ImageDtype::kU8, FuzzInput(70, 3)},
                   {"host.a", lampyris::ImageDtype::kU8, FuzzInput(1, 1)},
                   {"ecc.a", lampyris::ImageDtype::kU8, {}}};
  const FuzzInput file = lampyris::write_image(image);
  image.plan_json = R"({"ecc":{"tensors":{"layer.000.registers":{"preset":"line"},)"
                    R"("layer.000.weights":{"preset":"bram"},"host.a":{"preset":"row"}}}})";
  const FuzzInput guarded = lampyris::write_image(image);
  const std::string text = R"({"__metadata__":{"format":"lampyris.firefly","plan":"{}"}})";
  return {file,    parts_of(file),    parts_of(file),
          guarded, parts_of(guarded), FuzzInput(text.begin(), text.end()),
          FuzzInput(200, '[')};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try_file({data, size});
  try_file(sealed({data, size}));
  return 0;
}

#include "firefly/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

#include "core/error.h"

namespace lampyris::firefly {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMaxHeader = 1 << 16;
constexpr int64_t kMaxElements = int64_t{1} << 32;

// The text behind 'key': in the header's dictionary.
std::string_view value_of(std::string_view header, std::string_view key) {
  const size_t at = header.find(text("'{}':", key));
  if (at == std::string_view::npos) fail("npy: header must have '{}', got none", key);
  std::string_view rest = header.substr(at + key.size() + 3);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return rest;
}

NpyType parse_type(std::string_view descr) {
  if (descr.starts_with("'|u1'")) return NpyType::kUint8;
  if (descr.starts_with("'|b1'")) return NpyType::kBool;
  if (descr.starts_with("'<i2'")) return NpyType::kInt16;
  if (descr.starts_with("'<i4'")) return NpyType::kInt32;
  fail("npy: array must be uint8, bool, int16 or int32, got {}", descr.substr(0, descr.find(',')));
}

std::vector<int64_t> parse_shape(std::string_view tuple) {
  const size_t end = tuple.find(')');
  if (!tuple.starts_with('(') || end == std::string_view::npos)
    fail("npy: shape must be a tuple, got {}", tuple.substr(0, 20));
  std::vector<int64_t> shape;
  int64_t count = 1;
  for (std::string_view rest = tuple.substr(1, end - 1); !rest.empty();) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" ,"), rest.size()));
    if (rest.empty()) break;
    int64_t size = 0;
    const auto [next, error] = std::from_chars(rest.data(), rest.data() + rest.size(), size);
    if (error != std::errc() || size < 0 || size > kMaxElements)
      fail("npy: shape must hold sizes, got {}", tuple.substr(0, end + 1));
    if (size > 0 && count > kMaxElements / size) fail("npy: array must be smaller, got {}", tuple);
    count *= size;
    shape.push_back(size);
    rest.remove_prefix(static_cast<size_t>(next - rest.data()));
  }
  return shape;
}

}  // namespace

int npy_item_bytes(NpyType type) {
  return type == NpyType::kInt32 ? 4 : (type == NpyType::kInt16 ? 2 : 1);
}

NpyArray read_npy(std::span<const uint8_t> file) {
  constexpr size_t kPrefix = 10, kLongPrefix = 12;
  if (file.size() < kLongPrefix || std::memcmp(file.data(), kMagic.data(), kMagic.size()) != 0)
    fail("npy: file must start with the npy magic, got {} other bytes", file.size());
  const bool is_long = file[6] >= 2;
  size_t length = file[8] | static_cast<size_t>(file[9]) << 8;
  if (is_long) length |= static_cast<size_t>(file[10]) << 16 | static_cast<size_t>(file[11]) << 24;
  const size_t start = is_long ? kLongPrefix : kPrefix;
  if (length > kMaxHeader || file.size() < start + length)
    fail("npy: header must lie in the file, got {} bytes", length);
  const std::string_view header(reinterpret_cast<const char*>(file.data()) + start, length);
  NpyArray array;
  array.type = parse_type(value_of(header, "descr"));
  if (!value_of(header, "fortran_order").starts_with("False"))
    fail("npy: array must be in C order, got Fortran order");
  array.shape = parse_shape(value_of(header, "shape"));
  int64_t bytes = npy_item_bytes(array.type);
  for (const int64_t size : array.shape) bytes *= size;
  const auto data = file.subspan(start + length);
  if (static_cast<int64_t>(data.size()) != bytes)
    fail("npy: data must have {} bytes, got {}", bytes, data.size());
  array.bytes.assign(data.begin(), data.end());
  return array;
}

std::vector<uint8_t> write_npy(const NpyArray& array) {
  constexpr size_t kPrefix = 10, kAlign = 64;  // data starts at a multiple of 64
  constexpr std::string_view kTypes[] = {"|u1", "|b1", "<i2", "<i4"};
  std::string shape;
  for (const int64_t size : array.shape) shape += text("{}, ", size);
  if (array.shape.size() > 1) shape.resize(shape.size() - 2);
  std::string header = text("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                            kTypes[static_cast<size_t>(array.type)], shape);
  header.resize((kPrefix + header.size() + kAlign) / kAlign * kAlign - kPrefix, ' ');
  header.back() = '\n';
  std::string head(kMagic);
  head += {'\1', '\0', static_cast<char>(header.size() & 0xFF),
           static_cast<char>(header.size() >> 8)};
  head += header;
  std::vector<uint8_t> file(head.begin(), head.end());
  file.insert(file.end(), array.bytes.begin(), array.bytes.end());
  return file;
}

}  // namespace lampyris::firefly

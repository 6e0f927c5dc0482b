#include "firefly/image.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <string>

#include "firefly/image_layout.h"
#include "io/crc32c.h"
#include "io/file_error.h"
#include "io/mapped_file.h"
#include "io/temporary_folder.h"

namespace lampyris {
namespace {

std::vector<uint8_t> words(std::initializer_list<uint32_t> values) {
  std::vector<uint8_t> bytes(4 * values.size());
  std::memcpy(bytes.data(), std::data(values), bytes.size());
  return bytes;
}

Image small_image() {
  Image image;
  image.plan_json = R"({"target": "ems", "T": 4, "name": "\u00e9"})";
  image.tensors = {
      {"host.bias", ImageDtype::kU32, words({1, 2, 3})},
      {"layer.001.registers", ImageDtype::kU32, words({0xfc, 1})},
      {"layer.000.bias", ImageDtype::kU8, std::vector<uint8_t>(64, 5)},
      {"layer.000.registers", ImageDtype::kU32, words({0xe0 | 1 << 16, 64, 0xfc, 1})},
      {"layer.000.weights", ImageDtype::kU8, std::vector<uint8_t>(65, 255)},
      {"ecc.none", ImageDtype::kU8, {}},
  };
  return image;
}

std::string refusal(std::span<const uint8_t> file) {
  try {
    read_image(file);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

std::string writer_refusal(const Image& image) {
  try {
    write_image(image);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Image, RoundTripInFileOrder) {
  const auto file = write_image(small_image());
  EXPECT_EQ(file.size() % 64, 0u);
  const Image image = read_image(file);
  std::vector<std::string> names;
  for (const auto& tensor : image.tensors) names.push_back(tensor.name);
  EXPECT_EQ(names, (std::vector<std::string>{"layer.000.registers", "layer.000.weights",
                                             "layer.000.bias", "layer.001.registers", "host.bias",
                                             "ecc.none"}));
  for (const auto& tensor : small_image().tensors) {
    const ImageTensor* found = image.find(tensor.name);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->bytes, tensor.bytes);
    EXPECT_EQ(found->dtype, tensor.dtype);
  }
  EXPECT_EQ(image.find("integrity"), nullptr);
  EXPECT_TRUE(image.plan_json.starts_with(R"({"T":4,"name":"\u00e9","target":"ems","tensors":{)"));
  EXPECT_EQ(write_image(image), file);
}

TEST(Image, FooterIsTheLast64Bytes) {
  const auto file = write_image(small_image());
  const auto footer = std::span(file).last(kFooterBytes);
  EXPECT_EQ(std::memcmp(footer.data(), "LAMPFOOT", 8), 0);
  uint32_t head_bytes, head_crc, own;
  uint64_t file_bytes;
  std::memcpy(&head_bytes, footer.data() + 8, 4);
  std::memcpy(&head_crc, footer.data() + 12, 4);
  std::memcpy(&file_bytes, footer.data() + 16, 8);
  std::memcpy(&own, footer.data() + 60, 4);
  EXPECT_EQ(head_bytes % 64, 0u);
  EXPECT_EQ(head_crc, crc32c(std::span(file).first(head_bytes)));
  EXPECT_EQ(file_bytes, file.size());
  EXPECT_EQ(own, crc32c(footer.first(60)));
}

TEST(Image, EveryChangedByteAndEveryTruncationIsRefused) {
  auto file = write_image(small_image());
  for (size_t i = 0; i < file.size(); ++i) {
    const uint8_t kept = file[i];
    for (const uint8_t change : {1, 2, 0x20, 0x80, 0xff}) {
      file[i] = kept ^ change;
      ASSERT_NE(refusal(file), "accepted") << "byte " << i << " change " << int{change};
    }
    file[i] = kept;
    ASSERT_NE(refusal(std::span(file).first(i)), "accepted") << "length " << i;
  }
  EXPECT_EQ(refusal(file), "accepted");
}

TEST(Image, RandomBytesAreRefused) {
  std::mt19937 random(1);
  for (size_t size = 0; size < 700; size += 7) {
    std::vector<uint8_t> noise(size);
    for (auto& byte : noise) byte = static_cast<uint8_t>(random());
    EXPECT_NE(refusal(noise), "accepted");
  }
}

TEST(Image, WriterRefuses) {
  const auto with = [](ImageTensor tensor) {
    Image image = small_image();
    image.tensors.push_back(std::move(tensor));
    return writer_refusal(image);
  };
  const std::vector<uint8_t> one = {1};
  EXPECT_EQ(with({"host.bias", ImageDtype::kU8, one}),
            "weight image: tensor host.bias, expected once, got twice");
  EXPECT_EQ(with({"integrity", ImageDtype::kU8, one}),
            "weight image: tensor integrity, expected to be left to the writer, got one");
  EXPECT_EQ(with({"Host", ImageDtype::kU8, one}),
            "weight image: tensor name, expected [a-z0-9_.]{1,64}, got \"Host\"");
  EXPECT_EQ(with({"layer.003.registers", ImageDtype::kU32, words({0, 0})}),
            "weight image: layers, expected tensor layer.002.registers, got layer.003.registers");
  EXPECT_EQ(with({"host.a", ImageDtype::kU32, one}),
            "weight image: tensor host.a, expected whole words, got 1 bytes");
  EXPECT_EQ(with({"host.a", ImageDtype::kU8, {}}),
            "weight image: tensor host.a, expected at least 1 byte, got 0");
  EXPECT_EQ(with({"ecc.a", ImageDtype::kU8, one}),
            "weight image: tensor ecc.a, expected no bytes, for the plan's ecc does not use it, got 1");
}

TEST(Image, TooManyTensors) {
  Image image{"{}", {}};
  for (int i = 0; i < kMaxTensors; ++i) {
    image.tensors.push_back({"host." + std::to_string(i), ImageDtype::kU8, {1}});
  }
  EXPECT_EQ(writer_refusal(image), "weight image: tensors, expected at most 65536, got 65537");
  image.tensors.pop_back();
  EXPECT_EQ(read_image(write_image(image)).tensors.size(), size_t{kMaxTensors} - 1);
}

TEST(Image, HeaderIsLimited) {
  Image image{R"({"text":")" + std::string(16 << 20, 'x') + "\"}", {}};
  EXPECT_TRUE(writer_refusal(image).starts_with(
      "weight image: header, expected at most 16777216 bytes, got "));
}

std::string load_refusal(const std::string& path) {
  try {
    load_image(path);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Image, FileErrorsNameTheFile) {
  const TemporaryFolder folder;
  const std::string path = folder / "image.safetensors";
  save_image(path, small_image());
  EXPECT_EQ(refusal(MappedFile(path).bytes()), "accepted");
  const std::string start = "weight image " + path + ": ";
  // Sound as a file, but its plan is no program.
  EXPECT_TRUE(load_refusal(path).starts_with(start)) << load_refusal(path);
  std::filesystem::resize_file(path, 192);
  EXPECT_TRUE(load_refusal(path).starts_with(start + "footer, expected"));
  std::filesystem::remove(path);
  EXPECT_THROW(load_image(path), FileError);
}

}  // namespace
}  // namespace lampyris

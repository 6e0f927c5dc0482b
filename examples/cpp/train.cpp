// Trains a small spiking classifier on the digits with torch's C++ frontend.
//   train _ops.so digits.bin [gradients.bin]
// gradients.bin: parameters, then their gradients on the first batch, float32 one after the other.
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "lampyris_torch.h"

namespace {

using torch::Tensor;

constexpr int64_t kSteps = 4, kSide = 8, kClasses = 10, kBatch = 64, kEpochs = 6;
constexpr int64_t kTraining = 1400;  // of 1797 digits
constexpr double kRate = 0.01;
constexpr float kWhite = 16.0F;

struct Classifier : torch::nn::Module {
  Classifier()
      : first(register_parameter("first", torch::randn({16, 1, 3, 3}) * 0.7)),
        second(register_parameter("second", torch::randn({32, 16, 3, 3}) * 0.2)),
        last(register_parameter("last", torch::randn({kClasses, 32 * 16}) * 0.05)) {}

  // images [B, 1, 8, 8] in 0..1 -> logits [B, 10]; the image is shown for all T steps.
  Tensor forward(const Tensor& images) {
    const Tensor current = torch::conv2d(images, first, {}, 1, 1);
    const Tensor shown = current.unsqueeze(0).expand({kSteps, -1, -1, -1, -1});
    const lampyris::Spikes spikes = lampyris::lif_packed(shown, hidden);
    const Tensor deeper = lampyris::spike_conv2d(spikes, second, 2, 1);
    const Tensor rates = lampyris::lif(deeper, output).mean(0);
    return rates.flatten(1).matmul(last.t());
  }

  lampyris::LifOptions hidden = {.decay = 0.5, .threshold = 0.5};
  lampyris::LifOptions output = {
      .decay = 0.5, .threshold = 0.5, .surrogate = lampyris::Surrogate::kAtan};
  Tensor first, second, last;
};

struct Digits {
  Tensor images, classes;  // [N, 1, 8, 8] in 0..1, [N]
};

Digits read_digits(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  constexpr int64_t kRow = kSide * kSide + 1;
  const auto rows = static_cast<int64_t>(bytes.size()) / kRow;
  if (rows <= kTraining) {
    throw std::runtime_error("train: digits must be more than 1400 rows of 65 bytes, got " + path);
  }
  const Tensor all = torch::from_blob(bytes.data(), {rows, kRow}, torch::kByte).clone();
  const Tensor pixels = all.narrow(1, 0, kRow - 1).to(torch::kFloat) / kWhite;
  return {pixels.reshape({rows, 1, kSide, kSide}), all.select(1, kRow - 1).to(torch::kLong)};
}

void write(std::ofstream& file, const Tensor& tensor) {
  const Tensor whole = tensor.detach().contiguous();
  file.write(static_cast<const char*>(whole.const_data_ptr()),
             static_cast<std::streamsize>(whole.nbytes()));
}

void write_gradients(const std::string& path, const Classifier& model) {
  std::ofstream file(path, std::ios::binary);
  for (const Tensor& parameter : model.parameters()) write(file, parameter);
  for (const Tensor& parameter : model.parameters()) write(file, parameter.grad());
}

double accuracy(Classifier& model, const Digits& digits) {
  const torch::NoGradGuard no_gradient;
  const auto test = torch::indexing::Slice(kTraining);
  const Tensor found = model.forward(digits.images.index({test})).argmax(1);
  return found.eq(digits.classes.index({test})).to(torch::kFloat).mean().item<double>();
}

void run(const std::vector<std::string>& arguments) {
  lampyris::load_operators(arguments[1]);
  torch::manual_seed(0);
  const Digits digits = read_digits(arguments[2]);
  Classifier model;
  torch::optim::Adam optimizer(model.parameters(), kRate);
  bool first = true;
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    double sum = 0.0;
    const Tensor order = first ? torch::arange(kTraining) : torch::randperm(kTraining);
    for (const Tensor& batch : order.split(kBatch)) {
      optimizer.zero_grad();
      const Tensor logits = model.forward(digits.images.index({batch}));
      const Tensor classes = digits.classes.index({batch});
      const Tensor loss = torch::nn::functional::cross_entropy(logits, classes);
      loss.backward();
      if (first && arguments.size() > 3) write_gradients(arguments[3], model);
      first = false;
      optimizer.step();
      sum += loss.item<double>() * static_cast<double>(batch.numel());
    }
    std::printf("epoch %ld loss %.4f accuracy %.4f\n", static_cast<long>(epoch + 1),
                sum / kTraining, accuracy(model, digits));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return lampyris::run_main(argc, argv, 2, "train _ops.so digits.bin [gradients.bin]", run);
}

// A first-in first-out buffer that an entry passes in the same cycle when it is empty.
#pragma once

#include <cassert>
#include <cstddef>
#include <vector>

namespace lampyris::firefly {

template <class T>
class ElasticFifo {
 public:
  explicit ElasticFifo(size_t depth) : entries_(depth) {}

  size_t size() const { return size_; }
  size_t depth() const { return entries_.size(); }
  bool empty() const { return size_ == 0; }

  // There must be room.
  void push(const T& entry) {
    assert(size_ < depth());
    entries_[(first_ + size_++) % depth()] = entry;
  }
  const T& front() const { return entries_[first_]; }
  void pop() {
    first_ = (first_ + 1) % depth();
    --size_;
  }

 private:
  std::vector<T> entries_;
  size_t first_ = 0, size_ = 0;
};

}  // namespace lampyris::firefly

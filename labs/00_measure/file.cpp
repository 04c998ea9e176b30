#include "labs/00_measure/file.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>

namespace pagealloc::labs::measure {

void File::Free::operator()(std::byte* memory) const { std::free(memory); }

Frames::Frames(std::size_t count)
    : memory_(static_cast<std::byte*>(std::aligned_alloc(page_bytes, count * page_bytes))) {}

File::File(const Options& options, std::string path, int fd)
    : options_(options),
      path_(std::move(path)),
      fd_(fd),
      staged_(static_cast<std::byte*>(std::aligned_alloc(page_bytes, page_bytes))) {}

File::~File() {
  if (base_ != nullptr) (void)kernel().munmap(base_, mapped_bytes_);
  (void)kernel().close(fd_);
}

Error File::error(std::int64_t result, std::string cause) const {
  return {.code = Errc::io,
          .os_error = result < 0 ? static_cast<int>(-result) : 0,
          .path = path_,
          .cause = std::move(cause)};
}

Result<void> File::resize(std::uint64_t pages) {
  const int result = kernel().fallocate(fd_, 0, 0, pages * page_bytes);
  if (result < 0) return std::unexpected(error(result, "no blocks for all of it"));
  return options_.impl == "mmap" ? map(pages * page_bytes) : Result<void>{};
}

Result<void> File::map(std::uint64_t bytes) {
  const auto mapped = kernel().mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd_, 0);
  if (!mapped) return std::unexpected(error(mapped.error(), "cannot be mapped"));
  base_ = static_cast<std::byte*>(*mapped);
  mapped_bytes_ = bytes;
  return {};
}

const std::byte* File::peek(PageId page) const {
  return base_ == nullptr ? nullptr : base_ + page * page_bytes;
}

Result<void> File::write(PageId page, std::span<const std::byte> bytes) {
  std::ranges::copy(bytes.first(page_bytes), staged_.get());
  const iovec iov{staged_.get(), page_bytes};
  const std::int64_t moved = kernel().pwritev(fd_, &iov, 1, page * page_bytes);
  if (moved != page_bytes) return std::unexpected(error(moved, "a page was not written"));
  return {};
}

Result<void> File::sync() {
  const int result = kernel().fdatasync(fd_);
  if (result < 0) return std::unexpected(error(result, "cannot be made durable"));
  return {};
}

void File::execute(Read& read) {
  if (base_ != nullptr) {
    std::memcpy(read.frame, peek(read.page), page_bytes);
    read.result = page_bytes;
    return;
  }
  const iovec iov{read.frame, page_bytes};
  read.result = kernel().preadv(fd_, &iov, 1, read.page * page_bytes);
}

void File::begin(Read& read) {
  read.begun_ns = kernel().now_ns();
  execute(read);
  ended_.push_back(&read);
}

Read& File::next() {
  Read& read = *ended_.back();
  ended_.pop_back();
  return read;
}

namespace {

/// Threads that take what was begun from a list, each one read at a time.
class ThreadedFile final : public File, private os::Background {
 public:
  using File::File;
  bool start(unsigned threads) {
    workers_ = kernel().start(*this, threads);
    return workers_ != nullptr;
  }
  void begin(Read& read) override {
    read.begun_ns = kernel().now_ns();
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(&read);
    }
    workers_->post(1);
  }
  Read& next() override {
    workers_->wait(++handed_out_);
    const std::lock_guard lock(mutex_);
    return File::next();
  }

 private:
  void step() noexcept override {
    Read* read = nullptr;
    {
      const std::lock_guard lock(mutex_);
      read = waiting_.front();
      waiting_.pop_front();
    }
    execute(*read);
    const std::lock_guard lock(mutex_);
    ended_.push_back(read);
  }
  std::mutex mutex_;
  std::deque<Read*> waiting_;
  std::uint64_t handed_out_ = 0;
  std::unique_ptr<os::Workers> workers_;  // the first to go
};

/// What was begun is handed to the kernel when somebody waits, all of it in one call.
class RingFile final : public File {
 public:
  using File::File;
  int start(unsigned entries) {
    auto made = kernel().io_uring_setup(entries, 0);
    if (!made) return made.error();
    ring_ = std::move(*made);
    return ring_->enable();
  }
  void begin(Read& read) override {
    read.begun_ns = kernel().now_ns();
    io_uring_sqe* entry = ring_->get_sqe();
    if (entry == nullptr) {  // its queue is full: the kernel takes what is in it
      (void)ring_->enter(0);
      entry = ring_->get_sqe();
    }
    entry->opcode = IORING_OP_READ;
    entry->fd = fd();
    entry->off = read.page * page_bytes;
    entry->addr = reinterpret_cast<std::uintptr_t>(read.frame);
    entry->len = page_bytes;
    entry->user_data = reinterpret_cast<std::uintptr_t>(&read);
  }
  Read& next() override {
    while (ended_.empty()) {
      (void)ring_->enter(1);
      std::array<io_uring_cqe, 16> completions{};
      while (const unsigned count = ring_->drain(completions)) {
        for (const io_uring_cqe& each : std::span(completions).first(count)) {
          Read* const read = reinterpret_cast<Read*>(each.user_data);
          read->result = each.res;
          ended_.push_back(read);
        }
      }
    }
    return File::next();
  }

 private:
  std::unique_ptr<os::Ring> ring_;
};

/// The file's name is durable when its directory is.
int make_durable(os::Kernel& kernel, const std::string& path, int fd) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (const int synced = kernel.fsync(fd); synced < 0) return synced;
  const int parent = kernel.open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (parent < 0) return parent;
  const int synced = kernel.fsync(parent);
  (void)kernel.close(parent);
  return synced;
}

std::unexpected<Error> refused(const std::string& path, int result, const char* cause) {
  return std::unexpected(
      Error{.code = Errc::cannot_open, .os_error = -result, .path = path, .cause = cause});
}

}  // namespace

Result<std::unique_ptr<File>> open(std::string_view where, const Options& options) {
  const std::string path(where);
  os::Kernel& kernel = *options.kernel;
  const bool past = options.impl == "direct" || options.impl == "uring";
  const bool direct = options.direct.value_or(past ? Direct::require : Direct::off) != Direct::off;
  const int flags = O_RDWR | O_CLOEXEC | (options.create ? O_CREAT : 0) | (direct ? O_DIRECT : 0) |
                    (options.write_through ? O_DSYNC : 0);
  const int fd = kernel.open(path.c_str(), flags, 0600);
  if (fd < 0) return refused(path, fd, "cannot be opened");
  if (options.access == Access::random) (void)kernel.fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  std::unique_ptr<File> file;
  int result = 0;
  if (options.impl == "uring") {
    auto ring = std::make_unique<RingFile>(options, path, fd);
    result = ring->start(options.depth);
    file = std::move(ring);
  } else if (options.threads > 0) {
    auto threaded = std::make_unique<ThreadedFile>(options, path, fd);
    result = threaded->start(options.threads) ? 0 : -EAGAIN;
    file = std::move(threaded);
  } else {
    file = std::make_unique<File>(options, path, fd);
  }
  if (result == 0) result = make_durable(kernel, path, fd);
  if (result < 0) return refused(path, result, "cannot be used");
  return file;
}

Result<void> write_page(File& file, PageId page, std::span<const std::byte> bytes) {
  return file.write(page, bytes);
}

Result<void> sync(File& file) { return file.sync(); }

Result<std::vector<std::byte>> read_page(File& file, PageId page) {
  Frames frame(1);
  Read read{.page = page, .frame = frame[0]};
  file.begin(read);
  (void)file.next();
  if (read.result != page_bytes) {
    return std::unexpected(file.error(read.result, "a page was not read"));
  }
  return std::vector(frame[0], frame[0] + page_bytes);
}

}  // namespace pagealloc::labs::measure

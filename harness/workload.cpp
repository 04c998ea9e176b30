#include "harness/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "harness/meter.h"
#include "harness/placement.h"
#include "harness/sequence.h"
#include "pagealloc/open.h"

namespace pagealloc::harness {

namespace {

/// Every word added up, so that every byte is really touched. Four sums, so that the additions do
/// not wait for each other. Named one by one and not inlined: as an array inside a larger function
/// g++ 12 kept them in memory, and the sum of a page took 350 ns instead of 50. Asking for all
/// lines before the first is added takes another 100 ns off a page that is not in the cache.
[[gnu::noinline]] std::uint64_t sum_words(const std::byte* bytes, std::size_t count) {
  constexpr std::size_t line_bytes = 64;
  for (std::size_t i = 0; i < count; i += line_bytes) __builtin_prefetch(bytes + i);
  const auto* words = reinterpret_cast<const std::uint64_t*>(bytes);
  std::uint64_t sum0 = 0;
  std::uint64_t sum1 = 0;
  std::uint64_t sum2 = 0;
  std::uint64_t sum3 = 0;
  for (std::size_t i = 0; i < count / sizeof(std::uint64_t); i += 4) {
    sum0 += words[i];
    sum1 += words[i + 1];
    sum2 += words[i + 2];
    sum3 += words[i + 3];
  }
  return sum0 + sum1 + sum2 + sum3;
}

/// The order of the operations: which page does operation `index` begin with?
class Order {
 public:
  Order(const Job& job, std::uint64_t pages, std::uint64_t seed)
      : run_(job.run),
        random_(job.workload != Workload::sequential_read),
        slots_(pages / job.run),
        sequence_(slots_, seed) {}
  PageId page(std::uint64_t index) const {
    return run_ * (random_ ? sequence_[index] : index % slots_);
  }

 private:
  std::uint64_t run_;
  bool random_;
  std::uint64_t slots_;
  Sequence sequence_;
};

/// Keeps job.depth operations in flight until all are done.
class Reader {
 public:
  Reader(os::Kernel& kernel, PageFile& file, const Job& job, const Order& order,
         const Request& request, Histogram& latencies)
      : kernel_(kernel),
        file_(file),
        job_(job),
        order_(order),
        request_(request),
        latencies_(latencies),
        depth_(file.geometry().depth_max),
        sends_off_(job.workload != Workload::random_warm && depth_ > 1),
        piece_(job.workload == Workload::random_cold ? 8 : 1),
        ops_(depth_),
        index_of_(depth_),
        landed_(depth_) {
    batch_.reserve(depth_);
  }

  bool run() {
    const bool good = work();
    while (file_.reap(landed_, 1) > 0) {  // after an error; they belong to this object
    }
    return good;
  }

  std::uint64_t sum = 0;         // of all bytes read
  std::uint64_t common_sum = 0;  // of those of the first common_ops operations
  std::string error;

 private:
  bool work() {
    while (started_ < std::min<std::uint64_t>(depth_, request_.ops)) {
      start(ops_[started_], kernel_.now_ns());
    }
    for (std::uint64_t done = 0; done < request_.ops;) {
      if (!submit_batch()) return false;
      // Near the end fewer than wait_for may be left; reap caps it.
      const std::size_t count = file_.reap(landed_, job_.wait_for());
      for (std::size_t first = 0; first < count; first += piece_) {
        if (first > 0 && sends_off_ && !send_off()) return false;
        if (!finish({landed_.data() + first, std::min(piece_, count - first)})) return false;
      }
      done += count;
    }
    return true;
  }

  /// Uses what was read, and starts as many new operations.
  bool finish(std::span<Op* const> piece) {
    for (const Op* op : piece) {
      if (op->result == Errc::ok) {
        use(*op);
        continue;
      }
      error = error_of(file_, *op).text();
      return false;
    }
    const std::uint64_t end_ns =
        kernel_.now_ns();  // after use: a map does its work when it is touched
    for (Op* op : piece) {
      latencies_.add(end_ns - op->user);
      if (started_ < request_.ops) start(*op, end_ns);
    }
    return true;
  }

  /// A cold device that waits until all that came back at once is summed stands idle: 2 % at depth
  /// 128, 5 % where the kernel copies.
  bool send_off() {
    if (!submit_batch()) return false;
    (void)file_.reap({}, 0);  // takes nothing
    return true;
  }

  bool submit_batch() {
    const bool all = file_.submit(batch_) == batch_.size();
    batch_.clear();
    return all;
  }

  void start(Op& op, std::uint64_t start_ns) {
    index_of(op) = started_;
    op = Op{.run = job_.run, .page = order_.page(started_), .user = start_ns};
    ++started_;
    batch_.push_back(&op);
  }

  std::uint64_t& index_of(const Op& op) {
    return index_of_[static_cast<std::size_t>(&op - ops_.data())];
  }

  void use(const Op& op) {
    const std::size_t bytes = std::size_t{job_.run} * file_.geometry().page_bytes;
    const std::uint64_t words = sum_words(op.frame, bytes);
    sum += words;
    if (index_of(op) < request_.common_ops) common_sum += words;
    file_.release(op.frame, job_.run);
  }

  os::Kernel& kernel_;
  PageFile& file_;
  const Job& job_;
  const Order& order_;
  const Request& request_;
  Histogram& latencies_;
  std::size_t depth_;
  bool sends_off_;
  std::size_t piece_;  // of what is reaped: how many are used before others are sent off
  std::vector<Op> ops_;
  std::vector<std::uint64_t> index_of_;  // which operation each Op is just now
  std::vector<Op*> batch_;               // those to be submitted next
  std::vector<Op*> landed_;
  std::uint64_t started_ = 0;
};

std::expected<Round, std::string> not_what_was_written(std::string_view path) {
  return std::unexpected(
      fmt::format("{}: {}: what was read is not what was written", path, wrong_bytes_text));
}

std::expected<Round, std::string> read_pages(os::Kernel& kernel, PageFile& file, const Job& job,
                                             const Order& order, const Request& request,
                                             Histogram& latencies) {
  Reader reader(kernel, file, job, order, request, latencies);
  const Meter meter(kernel);
  const bool good = reader.run();
  const std::uint32_t page_bytes = file.geometry().page_bytes;
  Round round = meter.stop(request.ops, std::uint64_t{job.run} * page_bytes, latencies);
  if (!good) return std::unexpected(reader.error.empty() ? "submit refused" : reader.error);
  std::uint64_t expected = 0;
  std::uint64_t expected_common = 0;
  for (std::uint64_t i = 0; i < request.ops; ++i) {
    for (std::uint32_t page = 0; page < job.run; ++page) {
      const std::uint64_t sum = page_sum(order.page(i) + page, page_bytes);
      expected += sum;
      if (i < request.common_ops) expected_common += sum;
    }
  }
  if (reader.sum != expected || reader.common_sum != expected_common) {
    return not_what_was_written(file.path());
  }
  round.checksum = reader.common_sum;
  return round;
}

/// One word of each page through peek: no operation, no frame, no system call.
std::expected<Round, std::string> touch_pages(os::Kernel& kernel, PageFile& file, const Job&,
                                              const Order& order, const Request& request,
                                              Histogram& latencies) {
  std::uint64_t sum = 0;
  constexpr std::uint64_t timed_every = 16;  // reading the clock costs more than the touch
  const Meter meter(kernel);
  for (std::uint64_t i = 0; i < request.ops; ++i) {
    const std::byte* page = file.peek(order.page(i));
    const bool timed = i % timed_every == 0;
    const std::uint64_t start_ns = timed ? kernel.now_ns() : 0;
    std::uint64_t word = 0;
    std::memcpy(&word, page, sizeof word);
    sum += word;
    if (timed) latencies.add(kernel.now_ns() - start_ns);
  }
  Round round = meter.stop(request.ops, sizeof(std::uint64_t), latencies);
  std::uint64_t expected = 0;
  for (std::uint64_t i = 0; i < request.ops; ++i) expected += word_of(order.page(i), 0);
  if (sum != expected || file.failed() != Errc::ok) return not_what_was_written(file.path());
  return round;
}

/// What a written page begins with.
std::array<std::uint64_t, 2> head_of(PageId page, std::uint64_t nonce) { return {page, nonce}; }

/// Writes in batches, each followed by a sync. A write is acknowledged, and its latency taken, when
/// the sync that covers it is done. With more than one operation in flight batches overlap: a sync
/// covers what was reaped before it was submitted, so the next batch may be under way meanwhile,
/// and that is as safe as waiting.
class Writer {
 public:
  /// Writes `ops` pages of the slice that begins at page `first`, in that order; each begins with
  /// its number and `nonce`, which no run before has written.
  Writer(os::Kernel& kernel, PageFile& file, const Job& job, const Order& order, PageId first,
         std::uint64_t ops, std::uint64_t nonce)
      : kernel_(kernel),
        file_(file),
        job_(job),
        order_(order),
        first_(first),
        ops_wanted_(ops),
        nonce_(nonce),
        depth_(file.geometry().depth_max),
        ops_(depth_),
        batch_of_(depth_),
        done_(depth_),
        batches_(depth_ == 1 ? 1 : 16),
        content_(file.geometry().page_bytes) {
    for (std::size_t i = 0; i < content_.size(); i += sizeof(std::uint64_t)) {
      const std::uint64_t word = word_of(first, i);  // nothing that a disk could fold together
      std::memcpy(content_.data() + i, &word, sizeof word);
    }
    for (Op& op : ops_) free_.push_back(&op);
    for (Batch& batch : batches_) batch.start_ns.reserve(job.batch);
  }

  bool run() {
    const bool good = work();
    while (file_.reap(done_, 1) > 0) {  // as the reader's
    }
    return good;
  }

  PageId page_of(std::uint64_t index) const { return first_ + order_.page(index); }

  Histogram latencies;
  std::string error;

 private:
  struct Batch {
    std::vector<std::uint64_t> start_ns;  // of each write started
    std::size_t reaped = 0;
    bool syncing = false;
  };

  bool work() {
    while (acknowledged_ < ops_wanted_) {
      if (!start_sync() || !start_writes() || !collect()) return false;
    }
    return true;
  }

  /// One at a time, for every batch that is whole and reaped: a second one would wait for the first
  /// anyway, and take a place that a write could have.
  bool start_sync() {
    if (syncing_ || free_.empty()) return true;
    for (Batch& batch : batches_) {
      batch.syncing = whole(batch) && batch.reaped == batch.start_ns.size();
      syncing_ = syncing_ || batch.syncing;
    }
    if (!syncing_) return true;
    Op& op = take(0);
    op = Op{.verb = Verb::sync};
    return submit(op);
  }

  /// As many writes as may be in flight, batch after batch, until the next batch is still busy.
  bool start_writes() {
    while (!free_.empty() && started_ < ops_wanted_) {
      if (whole(batches_[filling_])) {
        const std::size_t next = (filling_ + 1) % batches_.size();
        if (!batches_[next].start_ns.empty()) return true;
        filling_ = next;
      }
      const PageId page = page_of(started_);
      std::byte* frame = file_.stage(page, 1);
      if (frame == nullptr) return fail("no frame to stage");
      std::memcpy(frame, content_.data(), content_.size());
      const auto head = head_of(page, nonce_);
      std::memcpy(frame, head.data(), sizeof head);
      Op& op = take(filling_);
      op = Op{.verb = Verb::write, .page = page, .frame = frame, .user = kernel_.now_ns()};
      ++started_;
      batches_[filling_].start_ns.push_back(op.user);
      if (!submit(op)) return false;
    }
    return true;
  }

  bool collect() {
    const std::size_t count = file_.reap(done_, job_.wait_for());
    const std::uint64_t end_ns = kernel_.now_ns();
    for (std::size_t i = 0; i < count; ++i) {
      Op& op = *done_[i];
      if (op.result != Errc::ok) return fail(error_of(file_, op).text());
      free_.push_back(&op);
      if (op.verb == Verb::write) {
        ++batches_[batch_of_[index_of(op)]].reaped;
      } else {
        acknowledge(end_ns);
      }
    }
    return true;
  }

  void acknowledge(std::uint64_t end_ns) {
    syncing_ = false;
    for (Batch& batch : batches_) {
      if (!batch.syncing) continue;
      for (const std::uint64_t start_ns : batch.start_ns) latencies.add(end_ns - start_ns);
      acknowledged_ += batch.start_ns.size();
      batch.start_ns.clear();
      batch.reaped = 0;
      batch.syncing = false;
    }
  }

  bool whole(const Batch& batch) const {
    if (batch.start_ns.empty()) return false;
    return batch.start_ns.size() == job_.batch || started_ == ops_wanted_;
  }
  std::size_t index_of(const Op& op) const { return static_cast<std::size_t>(&op - ops_.data()); }
  Op& take(std::size_t batch) {
    Op& op = *free_.back();
    free_.pop_back();
    batch_of_[index_of(op)] = batch;
    return op;
  }
  bool submit(Op& op) {
    Op* one[] = {&op};
    return file_.submit(one) == 1 || fail("submit refused");
  }
  bool fail(std::string why) {
    error = std::move(why);
    return false;
  }

  os::Kernel& kernel_;
  PageFile& file_;
  const Job& job_;
  const Order& order_;
  PageId first_;
  std::uint64_t ops_wanted_;
  std::uint64_t nonce_;
  std::size_t depth_;
  std::vector<Op> ops_;
  std::vector<std::size_t> batch_of_;  // which batch each Op belongs to just now
  std::vector<Op*> free_;
  std::vector<Op*> done_;
  std::vector<Batch> batches_;
  bool syncing_ = false;
  std::size_t filling_ = 0;  // the batch that new writes belong to
  std::vector<std::byte> content_;
  std::uint64_t started_ = 0;
  std::uint64_t acknowledged_ = 0;
};

/// Each thread has a slice of the file, as fio's have. It matters: where eight threads wrote all
/// over the file, ext4 made a fifth fewer pages durable per second.
std::expected<Round, std::string> write_pages(os::Kernel& kernel, PageFile& file, const Job& job,
                                              const Order& order, const Request& request,
                                              Histogram& latencies) {
  const std::uint32_t threads = job.handles ? job.threads : 1;
  const std::uint64_t slice_pages = file.pages() / threads;
  const std::uint64_t ops = request.ops / threads;  // of each thread
  const std::uint64_t nonce = kernel.now_ns();
  std::vector<std::unique_ptr<PageFile>> handles;
  std::vector<std::unique_ptr<Writer>> writers;
  for (std::uint32_t i = 0; i < threads; ++i) {
    auto handle = file.another();
    if (!handle) return std::unexpected(handle.error().cause);
    handles.push_back(std::move(*handle));
    writers.push_back(
        std::make_unique<Writer>(kernel, *handles[i], job, order, i * slice_pages, ops, nonce));
  }
  const Meter meter(kernel);
  {
    std::vector<std::jthread> others;
    for (std::uint32_t i = 1; i < threads; ++i) {
      others.emplace_back([&writers, i] { (void)writers[i]->run(); });
    }
    (void)writers[0]->run();
  }
  for (const auto& writer : writers) {
    if (!writer->error.empty()) return std::unexpected(writer->error);
    latencies.merge(writer->latencies);
  }
  Round round = meter.stop(ops * threads, file.geometry().page_bytes, latencies);
  for (std::uint64_t i = 0; i < ops; i += std::max<std::uint64_t>(ops / 16, 1)) {
    for (const auto& writer : writers) {
      const PageId page = writer->page_of(i);
      auto ref = read_page(file, page);
      if (!ref) return std::unexpected(ref.error().text());
      const auto head = head_of(page, nonce);
      if (std::memcmp(ref->bytes().data(), head.data(), sizeof head) != 0) {
        return not_what_was_written(file.path());
      }
    }
  }
  return round;
}

}  // namespace

std::expected<Round, std::string> run_workload(const Job& job, const Scratch& file,
                                               const Request& request, Histogram& latencies) {
  std::optional<Pinned> pinned;
  if (request.cpu) {
    auto there = Pinned::to(*request.cpu);
    if (!there) return std::unexpected(there.error());
    pinned.emplace(std::move(*there));
  }
  Options options = job.options;
  options.kernel = &file.kernel();
  options.sync_at_open = false;  // a scratch file, synced when it was made
  options.read_only = job.workload != Workload::durable_write;
  auto opened = open(file.path(), options);
  if (!opened) return std::unexpected(opened.error().cause);
  PageFile& pages = **opened;
  const Order order(job, job.handles ? pages.pages() / job.threads : pages.pages(), request.seed);
  Histogram own;  // of this round alone: its percentiles are the round's
  const auto run = job.workload == Workload::durable_write ? write_pages
                   : job.use == Use::touch                 ? touch_pages
                                                           : read_pages;
  const auto round = run(file.kernel(), pages, job, order, request, own);
  latencies.merge(own);
  return round;
}

}  // namespace pagealloc::harness

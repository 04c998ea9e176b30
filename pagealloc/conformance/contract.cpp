#include "pagealloc/conformance/contract.h"

#include <cstdlib>
#include <cstring>

#include "pagealloc/conformance/mutant.h"
#include "pagealloc/conformance/pattern.h"

namespace pagealloc::conformance {

namespace {

os::Kernel& base_of(const std::unique_ptr<os::sim::SimKernel>& sim) {
  return sim ? static_cast<os::Kernel&>(*sim) : os::linux_kernel();
}

}  // namespace

Contract::Contract()
    : sim_(GetParam().simulated ? std::make_unique<os::sim::SimKernel>(os::sim::Machine{})
                                : nullptr),
      kernel_(base_of(sim_)),
      files_(base_of(sim_), sim_.get()) {}

void Contract::SetUp() {
  options_ = GetParam().options;
  options_.kernel = &kernel_;
  options_.create = true;
  // Beside the build, not in /tmp: that is often a tmpfs, which takes O_DIRECT at any alignment.
  std::string name = (std::filesystem::current_path() / "conformance-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  directory_ = name;
  if (sim_) {
    for (std::filesystem::path at; const auto& part : directory_) {
      at /= part;
      if (at != "/") sim_->make(at.string(), os::sim::FileKind::directory);
    }
  }
  auto probe = open(path("probe.pa"), options_);
  if (!probe && probe.error().code == Errc::not_available) {
    ASSERT_FALSE(machine_offers(GetParam(), directory_))
        << "it is there, but " << probe.error().text();
    GTEST_SKIP() << probe.error().cause;
  }
  ASSERT_TRUE(probe) << probe.error().text();
  kernel_.clear_log();
}

void Contract::TearDown() { std::filesystem::remove_all(directory_); }

std::string Contract::path(const std::string& name) const { return (directory_ / name).string(); }

Result<std::unique_ptr<PageFile>> Contract::try_open(const Options& options) {
  return open_mutant(path(), options, mutant_from_environment());
}

std::unique_ptr<PageFile> Contract::open_filled(std::uint64_t pages, const Options& options) {
  std::string all;
  const std::uint32_t page_bytes = std::exchange(options_.page_bytes, options.page_bytes);
  for (PageId page = 0; page < pages; ++page) {
    const auto bytes = pattern(page, 0);
    all.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  options_.page_bytes = page_bytes;
  files_.put(path(), all);
  auto file = try_open(options);
  EXPECT_TRUE(file) << file.error().text();
  return file ? std::move(*file) : nullptr;
}

std::vector<std::byte> Contract::pattern(PageId page, unsigned version) const {
  return conformance::pattern(page, version, options_.page_bytes);
}

std::vector<std::byte> Contract::raw_page(PageId page) {
  return files_.read(path(), page * options_.page_bytes, options_.page_bytes);
}

void Contract::expect_page(PageFile& file, PageId page, unsigned version) {
  auto ref = read_page(file, page);
  ASSERT_TRUE(ref) << ref.error().text();
  const auto expected = pattern(page, version);
  EXPECT_EQ(std::memcmp(ref->bytes().data(), expected.data(), expected.size()), 0)
      << "page " << page << " does not hold version " << version;
}

std::vector<Op*> Contract::run(PageFile& file, std::vector<Op>& ops) {
  std::vector<Op*> back;
  std::size_t submitted = 0;
  // Bounded, so that an implementation that loses operations fails instead of hanging.
  for (std::size_t turn = 0; turn < 4 * ops.size() + 4 && back.size() < ops.size(); ++turn) {
    std::vector<Op*> batch;
    for (std::size_t i = submitted; i < ops.size(); ++i) batch.push_back(&ops[i]);
    submitted += file.submit(batch);
    std::vector<Op*> done(ops.size());
    done.resize(file.reap(done, 1));
    back.insert(back.end(), done.begin(), done.end());
  }
  return back;
}

Op Contract::run_one(PageFile& file, const Op& op) {
  std::vector<Op> ops{op};
  EXPECT_EQ(run(file, ops).size(), 1U);
  return ops[0];
}

Errc Contract::write(PageFile& file, PageId page, unsigned version) {
  std::byte* frame = file.stage(page, 1);
  if (frame == nullptr) return Errc::no_frames;
  const auto bytes = pattern(page, version);
  std::memcpy(frame, bytes.data(), bytes.size());
  return run_one(file, Op{.verb = Verb::write, .page = page, .frame = frame}).result;
}

INSTANTIATE_TEST_SUITE_P(Linux, Contract, ::testing::ValuesIn(variants()),
                         [](const auto& variant) { return variant.param.name; });
INSTANTIATE_TEST_SUITE_P(Simulated, Contract, ::testing::ValuesIn(simulated_variants()),
                         [](const auto& variant) { return variant.param.name; });

}  // namespace pagealloc::conformance

#include "pagealloc/cli/machine.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>
#include <optional>

#include "pagealloc/cli/common.h"
#include "pagealloc/cli/host_file.h"
#include "pagealloc/os/sim/name.h"

namespace pagealloc::cli {

namespace {

using os::sim::Image;
using os::sim::SimKernel;

/// What the command line asks for. One process runs one command, so there is one of each.
struct Chosen {
  std::optional<os::sim::Machine> machine;  // none: Linux
  std::optional<std::uint64_t> power_cut;   // none: shut down in order
};
Chosen chosen;
std::unique_ptr<SimKernel> running;

constexpr std::uint64_t power_cut_max = 1000;

/// Writes everything back, as a machine does that is switched off in order.
Result<Image> shut_down(SimKernel& machine) {
  const int root = machine.open("/", O_RDONLY | O_DIRECTORY, 0);
  const int result = root < 0 ? root : machine.syncfs(root);
  if (result == 0) return machine.cut(os::sim::Tearing::none);  // nothing is left that it may take
  return std::unexpected(error_at("/", Errc::io, "the simulated machine cannot sync", -result));
}

/// Each draw from the machine's stream is another cut.
Image cut_power(SimKernel& machine, std::uint64_t number) {
  for (std::uint64_t i = 1; i < number; ++i) (void)machine.cut(os::sim::Tearing::sector);
  return machine.cut(os::sim::Tearing::sector);
}

std::optional<os::sim::FileImage> file_in(const Image& image, const std::string& path) {
  const auto found = image.files.find(os::sim::normal_path(path));
  if (found == image.files.end()) return {};
  return found->second;
}

/// What happened to the file from `before` to `after`, for people.
std::string_view fate(const std::optional<os::sim::FileImage>& before,
                      const std::optional<os::sim::FileImage>& after) {
  if (!after) return before ? "is gone" : "is not there";
  if (!before) return "is there";
  return same_content(*before, *after) ? "is as it was before" : "is not as it was before";
}

Exit run_on_machine(os::sim::Machine machine, const std::string& path,
                    const std::function<Result<void>()>& command) {
  auto image = image_of_host(path);
  if (!image) return finish(std::unexpected(image.error()));
  machine.image = *image;
  running = std::make_unique<SimKernel>(machine);
  Exit exit = finish(command());
  std::string report =
      fmt::format("simulated {}: {:.3f} ms, {} calls", machine.model.name,
                  static_cast<double>(running->now_ns()) / 1e6, running->calls().total());
  const auto left = chosen.power_cut ? cut_power(*running, *chosen.power_cut) : shut_down(*running);
  running.reset();  // from here on kernel() is the host's again
  if (!left) return finish(std::unexpected(left.error()));
  const auto before = file_in(*image, path);
  const auto after = file_in(*left, path);
  if (chosen.power_cut) {
    report += fmt::format("; then the power went, and the file {}", fate(before, after));
  }
  const Exit copied = finish(put_on_host(path, before, after));
  fmt::print(stderr, "{}\n", report);
  return exit == Exit::ok ? copied : exit;
}

std::string check_kernel(const std::string& name) {
  auto machine = os::sim::machine_of(name);
  if (!machine) return machine.error();
  chosen.machine = std::move(*machine);
  return {};
}

}  // namespace

os::Kernel& kernel() {
  if (running == nullptr) return os::linux_kernel();
  return *running;
}

void add_kernel(CLI::App& app) {
  app.add_option("--kernel")
      ->check(check_kernel)
      ->description("where the command runs: " + os::sim::machine_names())
      ->type_name("NAME");
  add_number(app, "--power-cut", chosen.power_cut,
             fmt::format("of a simulated machine: at the end its power goes, and what a power cut "
                         "may leave is what FILE becomes; each N from 1 to {} is another cut",
                         power_cut_max));
}

Exit run_on_kernel(const std::string& path, const std::function<Result<void>()>& command) {
  const auto& cut = chosen.power_cut;
  if (cut && (!chosen.machine || *cut == 0 || *cut > power_cut_max)) {
    complain(chosen.machine
                 ? fmt::format("--power-cut: {} is not from 1 to {}", *cut, power_cut_max)
                 : "--power-cut needs a simulated machine, as --kernel sim:nvme");
    return Exit::usage;
  }
  if (!chosen.machine) return finish(command());
  return run_on_machine(std::move(*chosen.machine), path, command);
}

}  // namespace pagealloc::cli

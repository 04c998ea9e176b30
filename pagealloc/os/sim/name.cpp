#include "pagealloc/os/sim/name.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>

namespace pagealloc::os::sim {

namespace {

/// Plain decimal digits and nothing else.
std::optional<std::uint64_t> seed_of(std::string_view text) {
  std::uint64_t seed = 0;
  const char* const end = std::to_address(text.end());
  const auto [stop, error] = std::from_chars(std::to_address(text.begin()), end, seed);
  if (error != std::errc{} || stop != end) return {};
  return seed;
}

}  // namespace

std::string machine_names() {
  std::string names = "linux";
  for (const Model& model : models()) {
    names += fmt::format("{}sim:{}", &model == &models().back() ? " or " : ", ", model.name);
  }
  return names + "; a seed may follow, as in sim:nvme:7";
}

std::expected<std::optional<Machine>, std::string> machine_of(std::string_view name) {
  if (name == "linux") return std::nullopt;
  const auto refuse = [&](std::string_view why) {
    return std::unexpected(fmt::format("'{}' {}; a kernel is {}", name, why, machine_names()));
  };
  constexpr std::string_view prefix = "sim:";
  if (!name.starts_with(prefix)) return refuse("is no kernel");
  const std::string_view rest = name.substr(prefix.size());
  const std::size_t colon = rest.find(':');
  const auto model = model_of(rest.substr(0, colon));
  if (!model) return refuse("is no kernel");
  Machine machine;
  machine.model = *model;
  if (colon == std::string_view::npos) return machine;
  const auto seed = seed_of(rest.substr(colon + 1));
  if (!seed) return refuse("has a seed that is no decimal number");
  machine.seed = *seed;
  return machine;
}

}  // namespace pagealloc::os::sim

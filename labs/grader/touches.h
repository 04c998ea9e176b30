// Page faults counted: which pages of memory of a map have been touched.
//
// The host's own count will not do. Linux maps the neighbours of a page that is there in the same
// fault, and large folios whole, so it differs from machine to machine. Here a map has no rights
// when it is made, the first touch of a page is a signal, and the page then has the rights that
// were asked for. That is one for each page of memory, everywhere.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace pagealloc::labs {

/// Make the first before any file is opened: a guard of the file's comes in front of its handlers.
/// A new one counts from 0. Touches of one thread at a time.
class Touches {
 public:
  Touches();
  Touches(const Touches&) = delete;
  Touches& operator=(const Touches&) = delete;

  /// From now on touches of this map count.
  void watch(std::byte* map, std::size_t bytes, int protection);
  /// Pages of memory touched since they were last forgotten.
  std::size_t count() const;
  /// As if nothing had been touched.
  void forget();

  /// A copy of these bytes; nullopt: whoever reads them ends his process by signal().
  std::optional<std::vector<std::byte>> look(const std::byte* at, std::size_t bytes);
  /// Fills it with `from`; false: whoever stores there ends his process by signal().
  bool store(std::byte* at, const std::vector<std::byte>& from);
  /// "SIGBUS", of the last look or store that failed.
  const char* signal() const;

 private:
  bool copy(std::byte* to, const std::byte* from, std::size_t bytes);
};

}  // namespace pagealloc::labs

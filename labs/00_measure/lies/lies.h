// Six dishonest benchmarks. Do not mend them here: yours go into mended.cpp.
#pragma once

#include <array>
#include <string_view>

#include "labs/00_measure/bench.h"
#include "labs/00_measure/counts.h"

namespace pagealloc::labs::measure {

Result<Report> a(Bench& bench);
Result<Report> b(Bench& bench);
Result<Report> c(Bench& bench);
Result<Report> d(Bench& bench);
Result<Report> e(Bench& bench);
Result<Report> f(Bench& bench);

struct Program {
  char letter;
  std::string_view says;
  Claim claim;
  Result<Report> (*run)(Bench&);
};

inline constexpr std::array<Program, 6> programs = {{
    {'a', "cold random reads through the page cache", {.reads = true, .cold = true}, a},
    {'b', "how long a random read of this file takes", {.reads = true, .duration = true}, b},
    {'c', "random reads of a file, past the page cache", {.reads = true, .cold = true}, c},
    {'d',
     "how much faster a ring reads than pread, cold",
     {.reads = true, .cold = true, .compares = true},
     d},
    {'e', "durable writes, each durable before the next begins", {.durable = true}, e},
    {'f', "random reads of a mapped file that is in memory", {.reads = true}, f},
}};

}  // namespace pagealloc::labs::measure

// fio, told to do the same job: the peer that every figure of ours stands beside.
#pragma once

#include <atomic>
#include <expected>
#include <string>
#include <vector>

#include "harness/job.h"
#include "harness/round.h"
#include "harness/workload.h"

namespace pagealloc::harness {

/// fio's command line for this job on this file: same engine, depth, threads, request size, number
/// of operations, advice and batching of system calls.
std::vector<std::string> fio_command(const Job& job, const Scratch& file, const Request& request);

/// Runs it. An error is a sentence for people: fio is missing, or what it complained of.
std::expected<Round, std::string> run_fio(const Job& job, const Scratch& file,
                                          const Request& request);

/// "fio-3.33", or an empty string when there is none on the PATH.
std::string fio_version();

}  // namespace pagealloc::harness

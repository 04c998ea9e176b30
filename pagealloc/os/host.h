// What a program does to files of its own host beside page files: no other kernel has these.
// Conventions of os/kernel.h: names and arguments of the man pages, -errno for a failure.
#pragma once

namespace pagealloc::os {

int rename(const char* from, const char* to) noexcept;
int fchmod(int fd, unsigned mode) noexcept;
int flock(int fd, int operation) noexcept;

}  // namespace pagealloc::os

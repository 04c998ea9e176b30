#include "harness/crash/flakey.h"

namespace pagealloc::crash {

std::optional<Bounds> bounds_of(std::span<const DeviceNote> notes) {
  // LAB:BEGIN 6 bounds_of(notes)
  using enum DeviceNote::What;
  Bounds bounds;
  bool dropping = false;
  for (const DeviceNote& note : notes) {
    if (note.what == unmounted) break;
    if (note.what == drops_end) return {};  // what is written now is kept: no power cut does that
    if (note.what == file_system_synced && !dropping) return {};  // a sync of the store's is hidden
    if (note.what == drops_begin) dropping = true;
    if (note.what == submitted) bounds.submitted = note.commit;
    // The device says of a flush that it was done, too, and has done nothing.
    if (note.what == acknowledged && !dropping) bounds.acknowledged = note.commit;
  }
  if (!dropping) return {};  // a process that is killed loses nothing
  return bounds;
  // LAB:END
}

}  // namespace pagealloc::crash

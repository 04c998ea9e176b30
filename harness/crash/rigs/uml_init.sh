#!/bin/dash
# shellcheck disable=SC2154  # rig_scratch comes from the command line, the rest from settings
# The first process under user-mode-linux: prepares the machine, runs the test, switches off. Not for
# busybox's sh, which starts itself again as /proc/self/exe: there that is another user-mode-linux.
# `rig_scratch` comes from the kernel's command line.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mkdir /run/scratch
# Again, and not through the root: that is read-only, and /dev of the host lies hidden behind /dev.
mount -t hostfs -o "$rig_scratch" none /run/scratch
# shellcheck disable=SC1091  # written by rig.sh
. /run/scratch/settings
for module in dm-mod dm-flakey dm-log-writes; do
  insmod "/usr/lib/uml/modules/$(uname -r)/kernel/drivers/md/$module.ko"
done
bash "$rigs/test.sh" /run/scratch
echo o >/proc/sysrq-trigger
# The power goes at some moment after that; the first process must not end before.
exec sleep infinity

# shellcheck shell=bash disable=SC2034,SC2154,SC2317  # names and hooks are shared
# The hooks of body.sh for qemu-storage-daemon: a disk of its block drivers, shown as a file through
# FUSE, made a device by the loop driver. It ends, and closes its log, when it is told to.

# daemon_up OPTION...: `node` is exported as `device`.
daemon_up() {
  local exported=$work/exported.raw greeting
  : >"$exported"
  rm -f "$work/commands" "$work/answers"
  mkfifo "$work/commands" "$work/answers"
  # Not in this process group: on Ctrl-C the file system goes first, then what is below it.
  setsid qemu-storage-daemon "$@" \
    --export type=fuse,id=export,node-name=node,mountpoint="$exported",writable=on \
    --chardev stdio,id=stdio --monitor chardev=stdio \
    <"$work/commands" >"$work/answers" 2>"$work/daemon.log" &
  daemon_pid=$!
  exec {qmp_to}>"$work/commands" {qmp_from}<"$work/answers"
  # It greets when all before it on the command line is there.
  read -r greeting <&"$qmp_from" || broken "qemu-storage-daemon: $(<"$work/daemon.log")"
  [[ $greeting == *QMP* ]] || broken "qemu-storage-daemon says: $greeting"
  tell '{"execute": "qmp_capabilities"}'
  attach "$exported"
  device=$attached
}

# tell COMMAND: of QMP; waits for the answer.
tell() {
  local answer=''
  printf '%s\n' "$1" >&"$qmp_to"
  until [[ $answer == *'"return"'* ]]; do
    read -r answer <&"$qmp_from" || broken "qemu-storage-daemon is gone: $(<"$work/daemon.log")"
    [[ $answer != *'"error"'* ]] || broken "qemu-storage-daemon: $1: $answer"
  done
}

daemon_down() {
  detach "$device"
  tell '{"execute": "quit"}'
  exec {qmp_to}>&- {qmp_from}<&-
  wait "$daemon_pid"
  daemon_pid=''
}

hooks_blklogwrites() {
  # XFS has many more points to cut at, of file systems that are 25 times as long.
  progress_offset=$fs_bytes commits=40
  if [[ $fs == xfs ]]; then commits=4; fi
  device_up() {
    restore_disk
    : >"$log"
    daemon_up --blockdev driver=file,node-name=disk,filename="$disk" \
      --blockdev driver=file,node-name=log,filename="$log" \
      --blockdev driver=blklogwrites,node-name=node,file=disk,log=log,log-sector-size=512
    progress=$device
  }
  cut() { :; }
  device_down() { daemon_down; }
  judged() { judge_log; }
  left_over() { replay_log; }
}

hooks_blkdebug() {
  device_up() {
    restore_disk
    daemon_up --blockdev driver=file,node-name=disk,filename="$disk" \
      --blockdev driver=raw,node-name=node,file=disk
  }
  below() {
    tell "{\"execute\": \"blockdev-reopen\", \"arguments\": {\"options\":
      [{\"driver\": \"raw\", \"node-name\": \"node\", \"file\": \"$1\"}]}}"
  }
  block_fails() {
    tell "{\"execute\": \"blockdev-add\", \"arguments\": {\"driver\": \"blkdebug\",
      \"node-name\": \"failing\", \"image\": \"disk\", \"inject-error\":
      [{\"event\": \"none\", \"iotype\": \"write\", \"errno\": 5, \"sector\": $1}]}}"
    below failing
  }
  block_heals() {
    below disk
    tell '{"execute": "blockdev-del", "arguments": {"node-name": "failing"}}'
  }
  device_down() { daemon_down; }
}

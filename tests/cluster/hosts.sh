#!/bin/bash
# Three hosts in one: hosts.sh FOLDER COMMAND...  runs COMMAND on a machine from which two others,
# 192.0.2.10 and 192.0.2.11, are reached by ssh with FOLDER/key. Each has its own network, process
# table, home, /tmp/ray and /dev/shm; nothing is reachable from outside, and all ends with COMMAND.
# Needs root; called by itself in the namespaces that it makes.
set -euo pipefail

private() { # of this host, whatever the machine has: FOLDER/NAME as home
  local home=$folder/$1
  mkdir -p "$home" "$home.ray" /tmp/ray
  touch "$home/.bashrc"
  mount --bind "$home.ray" /tmp/ray
  mount -t tmpfs -o size=512m tmpfs /dev/shm
  mount -t tmpfs tmpfs /run
  sed "s#^root:.*#root:x:0:0::$home:/bin/bash#" /etc/passwd > "$home.passwd"
  mount --bind "$home.passwd" /etc/passwd
  export HOME=$home
  ip link set lo up
}

case $1 in
  --client)
    folder=$2
    shift 2
    private client
    ip link add lan type bridge
    ip address add 192.0.2.1/24 dev lan
    ip link set lan up
    for number in 10 11; do
      unshare --net --pid --fork --mount-proc --mount --kill-child \
        bash "$0" --host "$folder" $number > "$folder/sshd-$number.log" 2>&1 &
      until [[ $(readlink /proc/$!/ns/net) != $(readlink /proc/self/ns/net) ]]; do sleep 0.05; done
      ip link add to$number type veth peer name eth0 netns $!
      ip link set to$number master lan up
      until ssh-keyscan -T 1 192.0.2.$number > /dev/null 2>&1; do sleep 0.1; done
    done
    "$@"
    ;;
  --host)
    folder=$2
    private host-$3
    mkdir /run/sshd
    until ip link show eth0 > /dev/null 2>&1; do sleep 0.05; done
    ip address add 192.0.2.$3/24 dev eth0
    ip link set eth0 up
    ip route add default via 192.0.2.1 # goes nowhere; Ray asks which address would be used
    exec "$(PATH=$PATH:/usr/sbin command -v sshd)" -D -e -f /dev/null -o HostKey="$folder/key" \
      -o AuthorizedKeysFile="$folder/key.pub" -o StrictModes=no -o UsePAM=no
    ;;
  *)
    exec unshare --net --pid --fork --mount-proc --mount --kill-child bash "$0" --client "$@"
    ;;
esac

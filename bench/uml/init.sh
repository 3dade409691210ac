#!/bin/bash
# The first process of the small Linux (User Mode Linux) that bench/nfs.py boots: an NFS server
# and its client on one loop-back device, whose every packet is late. Its root is the host's,
# read-only; all that is written lies in memory. From the command line of the kernel:
# BENCH_ROOT (the repository), BENCH_PYTHON, BENCH_PLAN (what guest.py is to do).
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root PYTHONDONTWRITEBYTECODE=1

off() {
    echo o > /proc/sysrq-trigger
    sleep 10
}
mount -t proc proc /proc
trap off EXIT
mount -t sysfs sys /sys
mount -t tmpfs -o size=1g tmp /run
mkdir -p /run/lock /run/modules/lib/modules /run/exported /run/mounted

ln -s "/usr/lib/uml/modules/$(uname -r)" "/run/modules/lib/modules/$(uname -r)"
for module in nfs nfsv4 nfsd sch_netem; do
    modprobe -d /run/modules "$module"
done

# What the NFS server writes, and where it talks with its kernel.
mount -t tmpfs tmp /var/lib/nfs
mkdir -p /var/lib/nfs/{rpc_pipefs,v4recovery,nfsdcltrack,sm}
touch /var/lib/nfs/{etab,rmtab,state}
mount -t rpc_pipefs pipes /var/lib/nfs/rpc_pipefs
mount -t nfsd nfsd /proc/fs/nfsd
ip address add 127.0.0.1/8 dev lo 2> /dev/null || true
ip link set lo up

cd "$BENCH_ROOT"
TMPDIR=/run "$BENCH_PYTHON" -m bench.uml.guest "$BENCH_PLAN"

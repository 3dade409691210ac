#!/bin/bash
# The first process of a guest: readies it, runs the script that it was booted for, and
# switches off. The kernel's command line hands us SHARED, a directory of the host.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/tmp /run/shared /run/modules/lib/modules
chmod 1777 /run/tmp
export TMPDIR=/run/tmp
ln -s "/usr/lib/uml/modules/$(uname -r)" /run/modules/lib/modules/
mount -t hostfs -o "$SHARED" none /run/shared
export SHARED=/run/shared
touch /run/shared/started
. /run/shared/job.sh

# need_modules NAME ...: load parts of the kernel.
need_modules() {
    local name
    for name in "$@"; do
        modprobe -d /run/modules "$name" || return
    done
}
export -f need_modules

cd /run || exit
bash -eu "$SCRIPT" > /run/shared/output 2>&1 < /dev/null
echo $? > /run/shared/status
sync
echo o > /proc/sysrq-trigger
sleep 10

# Homes on XFS and ext4 with project quota, each set up well or badly in its own way, and
# what the meters say about them: a line of JSON each, after a name.
need_modules loop quota_v2

# ask NAME HOME METER [OPTION=VALUE ...]: note a question for `answer` or `answer_as_user`.
ask() { echo "$@" >> questions; }

answer() {
    "$PYTHON" "$MEASURE" < questions
    rm questions
}

answer_as_user() {
    setpriv --reuid 65534 --regid 65534 --clear-groups "$PYTHON" "$MEASURE" < questions
    rm questions
}

# set_project ID HOME: as administrators do, on all that is in the home.
set_project() {
    if [ "$fs" = xfs ]; then
        xfs_quota -x -c "project -s -p $2 $1" "/run/$fs" > /dev/null 2>&1
    else
        chattr -R -p "$1" "$2"
        find "$2" -type d -exec chattr +P {} +
    fi
}

# limit ID KIB_SOFT KIB_HARD
limit() {
    if [ "$fs" = xfs ]; then
        xfs_quota -x -c "limit -p bsoft=${2}k bhard=${3}k $1" "/run/$fs"
    else
        setquota -P "$1" "$2" "$3" 0 0 "/run/$fs"
    fi
}

# home NAME MIB: a home with one file of that size in a folder.
home() {
    mkdir -p "/run/$fs/$1/sub"
    chmod 755 "/run/$fs/$1"
    dd if=/dev/zero of="/run/$fs/$1/sub/data" bs=1M count="$2" status=none
}

for fs in xfs ext4; do
    truncate -s 400M $fs.img
    if [ $fs = xfs ]; then
        mkfs.xfs -q $fs.img
    else
        mkfs.ext4 -q -O quota,project -E quotatype=prjquota $fs.img
    fi
    mkdir $fs
    mount -o loop,prjquota $fs.img $fs
    chmod 755 $fs

    # As it should be, and with a limit of its own.
    home alice 20
    set_project 42 /run/$fs/alice
    limit 42 0 102400
    dd if=/dev/zero of=$fs/alice/sub/later bs=1M count=4 status=none
    ln $fs/alice/sub/data "$fs/alice/a second name"
    truncate -s 1G $fs/alice/sparse
    # As it should be, without a limit.
    home carol 3
    set_project 44 /run/$fs/carol
    # Over the soft limit, so that statfs says no more than that.
    home oscar 3
    set_project 45 /run/$fs/oscar
    limit 45 1024 102400
    # No project at all.
    home dave 2
    # Two that share one.
    home erin 1
    home frank 2
    set_project 50 /run/$fs/erin
    set_project 50 /run/$fs/frank
    # One for all homes, given to their root.
    home all/gina 1
    home all/hugo 1
    set_project 60 /run/$fs/all
    # The home has one, but what is made in it does not get it.
    home ivan 1
    # The home has one, but what was in it before does not.
    home judy 1
    if [ $fs = xfs ]; then
        xfs_io -c "chproj 51" /run/xfs/ivan
        xfs_io -c "chproj 52" -c "chattr +P" /run/xfs/judy
    else
        chattr -p 51 /run/ext4/ivan
        chattr +P -p 52 /run/ext4/judy
    fi
    # Emptied, with a project.
    mkdir $fs/kate
    set_project 53 /run/$fs/kate
    sync

    echo "$fs.du.alice $(du -s --block-size=1 /run/$fs/alice | cut -f1)"
    for name in alice carol dave erin all/gina ivan judy kate; do
        ask $fs.${name#*/} /run/$fs/$name $fs
        ask $fs.auto.${name#*/} /run/$fs/$name auto
    done
    ask $fs.by_device.alice /run/$fs/alice $fs quotactl_fd=9999
    ask $fs.apparent.alice /run/$fs/alice auto allocated=
    ask $fs.limited.alice /run/$fs/alice auto limit=1000000
    ask $fs.files.alice /run/$fs/alice auto limit=1000000000 files=10
    ask $fs.walk.alice /run/$fs/alice walk
    answer
    for name in alice carol oscar; do
        ask $fs.user.$name /run/$fs/$name $fs
        ask $fs.user.auto.$name /run/$fs/$name auto
    done
    answer_as_user

    # What a user may do to their own file.
    chown -R 1000:1000 $fs/carol
    if [ $fs = xfs ]; then escape='xfs_io -c "chproj 0"'; else escape='chattr -p 0'; fi
    setpriv --reuid 1000 --regid 1000 --clear-groups bash -c "$escape /run/$fs/carol/sub/data"
    sync
    ask $fs.escaped.carol /run/$fs/carol $fs
    answer
    umount $fs

    # The same disk, with nobody counting.
    if [ $fs = ext4 ]; then tune2fs -Q ^prjquota ext4.img > /dev/null; fi
    mount -o loop $fs.img $fs
    ask $fs.off.alice /run/$fs/alice $fs
    ask $fs.off.auto.alice /run/$fs/alice auto
    answer
    umount $fs
    rm $fs.img
done

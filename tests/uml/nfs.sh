# A home on a real NFSv4.1 server, mounted by a real client: what du and both walks say of it,
# also after another client has changed it, and while it is not there any more.
need_modules nfs nfsv4 nfsd
mkdir -p exported/alice/data/deep mounted
mount -t tmpfs state /var/lib/nfs
mkdir -p /var/lib/nfs/{rpc_pipefs,v4recovery,nfsdcltrack,sm}
touch /var/lib/nfs/{etab,rmtab,state}
mount -t rpc_pipefs pipes /var/lib/nfs/rpc_pipefs
mount -t nfsd nfsd /proc/fs/nfsd
ip address add 127.0.0.1/8 dev lo 2> /dev/null || true
ip link set lo up
rpc.mountd -N 2 -N 3 > /dev/null 2>&1
exportfs -i -o rw,no_root_squash,fsid=0,no_subtree_check,insecure '*:/run/exported'
rpc.nfsd -N 3 4 > /dev/null 2>&1
# The client asks again after three seconds. By default it waits longer each time that nothing has
# changed, so on a slow machine for longer than is slept below.
mount -t nfs4 -o vers=4.1,hard,noresvport,acregmax=3,acdirmax=3 127.0.0.1:/ mounted

home=/run/mounted/alice
for number in $(seq 300); do
    echo "$number" > "exported/alice/data/file$number"
done
truncate -s 3M exported/alice/data/deep/sparse
ln exported/alice/data/file1 exported/alice/data/deep/again
ln -s /etc exported/alice/link
mkfifo exported/alice/pipe
mkdir exported/alice/.snapshot
echo old > exported/alice/.snapshot/file

say() { # NAME: what each says of the home now
    echo "$1.du $(du -s -B1 --exclude=.snapshot $home | cut -f1)"
    local engine
    for engine in compiled python; do
        echo "$1.$engine $("$PYTHON" "$WALK" $engine "" "$TASK")"
    done
}

"$PYTHON" -c 'import os; print("mount", os.popen("findmnt -no FSTYPE,OPTIONS /run/mounted").read().strip())'
say first
# By the server itself, as another client would: the walk asks for what is there now.
rm exported/alice/data/file1?
truncate -s 5M exported/alice/data/deep/sparse
sleep 4
say later
umount mounted

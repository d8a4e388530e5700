# A Ceph of one node in memory with its S3 gateway: radosgw.sh FOLDER MON_PORT S3_PORT BUCKET
# Prints "ready" once S3 answers, and ends all of it when its input ends: that is when whoever started it is gone.
trap : INT TERM HUP
folder=$1 mon=$2 s3=$3 bucket=$4
cd "$folder" || exit 1
exec 2>>log
id=$(cat /proc/sys/kernel/random/uuid) osd=$(cat /proc/sys/kernel/random/uuid)
cat >ceph.conf <<END
[global]
fsid = $id
mon host = v2:127.0.0.1:$mon/0
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind port min = 29000
ms bind port max = 32700
keyring = $folder/keyring
run dir = $folder
admin socket =
log file =
mon data = $folder/mon
osd data = $folder/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
paxos propose interval = 0.05
paxos min wait = 0.01
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:$s3
rgw thread pool size = 64
rgw relaxed s3 bucket names = true
rgw dynamic resharding = false
rgw multipart min part size = 1
END
export CEPH_CONF=$folder/ceph.conf
create=--create-keyring
for name in mon. client.admin client.rgw osd.0; do
  ceph-authtool $create keyring --gen-key -n $name --cap mon 'allow *' --cap osd 'allow *' >&2
  create=
done
monmaptool --create --fsid "$id" --addv a "v2:127.0.0.1:$mon" monmap >&2
mkdir mon osd
ceph-mon -i a --mkfs --monmap monmap >&2
started=
start() { "$@" </dev/null >&2 & started="$! $started"; }
# Whether $@ succeeds within a minute.
soon() { for _ in $(seq 600); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; echo "no: $*" >&2; return 1; }
fails() { kill $started 2>/dev/null; wait; exit 1; }
start ceph-mon -i a -f
soon timeout 5 ceph -s || fails
ceph osd new "$osd" >&2 || fails
ceph-osd -i 0 --mkfs --osd-uuid "$osd" >&2 || fails
start ceph-osd -i 0 -f
is_up() { ceph osd stat | grep -q ' 1 up'; }
soon is_up || fails
start radosgw -n client.rgw -f
soon curl -s -o /dev/null "http://127.0.0.1:$s3/" || fails
radosgw-admin user create --uid=zegel --display-name=zegel --access-key=zegel --secret-key=geheim >&2 || fails
soon curl -sf --aws-sigv4 aws:amz:us-east-1:s3 --user zegel:geheim -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" -X PUT "http://127.0.0.1:$s3/$bucket" || fails
echo ready
cat >/dev/null
kill -9 $started
wait
rm -rf "$folder"

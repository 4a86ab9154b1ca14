#!/bin/sh
# Keeps a Docker Engine of one's own in the folder $1 for as long as somebody holds the other end of standard input, and
# leaves nothing behind: no process, no mount, no bridge, no rule, no file. It leaves the firewall's rules and the usual
# bridge alone, so it gets along with whatever engine runs on this machine already; but one that does may have forbidden
# what it did not allow, so there is a rule for the addresses that networks get here.
#
# With `apart` behind the folder, the engine has a firewall and bridges of its own, and networks are kept apart as they are
# everywhere; but nothing here reaches what listens there. It has an address there that a swarm can be told of.
#
# With `tls` and a port behind the folder, it listens there as well, for those with a certificate of the authority in `tls`.
#
# An engine that ends before its time is started again, as a host would: whoever wants it away for a while kills it.
set -u
root=$1
rule() { iptables "$1" FORWARD -s 10.192.0.0/11 -d 10.192.0.0/11 -j ACCEPT -m comment --comment "$root"; }
apart=
firewall="--bridge none --iptables=false"
if [ "${2:-}" = apart ]; then
    apart="unshare --net sh -c 'ip link set lo up; ip address add 192.0.2.1/32 dev lo; exec \"\$@\"' apart"
    firewall="--bridge none"
    rule() { :; }
fi
rule -I
listen=
if [ "${2:-}" = tls ]; then
    listen="--host tcp://127.0.0.1:$3 --tlsverify --tlscacert $root/tls/ca.pem --tlscert $root/tls/engine.pem"
    listen="$listen --tlskey $root/tls/engine-key.pem"
fi

# Where this program is found, an engine hands out GPUs, and has it put them into containers. Here it puts in nothing.
mkdir -p "$root/bin"
printf '#!/bin/sh\nexec cat >/dev/null\n' >"$root/bin/nvidia-container-runtime-hook"
chmod +x "$root/bin/nvidia-container-runtime-hook"
PATH=$root/bin:$PATH

engine() {
    eval "exec $apart dockerd" --data-root '"$root/data"' --exec-root '"$root/exec"' --host '"unix://$root/docker.sock"' $listen \
        --pidfile '"$root/pid"' "$firewall" --shutdown-timeout 2
}
keep() {
    until [ -e "$root/over" ]; do
        (engine) >>"$root/log" 2>&1 </dev/null
        sleep 0.2
    done
}
keep &
keeper=$!

# Nobody writes anything: this ends when the other end is closed, however whoever held it ended. No test takes so long but
# one that says so.
timeout "${WHARF_ENGINE_SECONDS:-900}" cat >/dev/null

touch "$root/over"
kill "$(cat "$root/pid")" 2>/dev/null
for _ in $(seq 100); do
    kill -0 "$keeper" 2>/dev/null || break
    sleep 0.1
done
kill -9 "$(cat "$root/pid" 2>/dev/null)" 2>/dev/null
wait "$keeper" 2>/dev/null
# What a killed engine leaves: its containerd, and what watches its containers.
for pid in $(grep -ls "$root/" /proc/[0-9]*/cmdline | cut -d/ -f3); do
    [ "$pid" = $$ ] || kill -9 "$pid" 2>/dev/null
done
for place in $(awk -v root="$root/" 'index($2, root) == 1 { print $2 }' /proc/mounts | sort -r); do
    umount -l "$place" 2>/dev/null
done
for bridge in $(grep -aos 'br-[0-9a-f]\{12\}' "$root/data/network/files/local-kv.db" | sort -u); do
    ip link delete "$bridge" 2>/dev/null
done
rule -D
rm -rf "$root"

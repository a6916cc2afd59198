#!/bin/sh
# What a phone does with what a DHCP server tells it; udhcpc calls this. $RESOLV_CONF and $LEASE are files.
case "$1" in
bound | renew)
	ip addr replace "$ip/${mask:-24}" dev "$interface"
	[ -n "$router" ] && ip route replace default via "${router%% *}"
	for server in $dns; do echo "nameserver $server"; done >"$RESOLV_CONF"
	env >"$LEASE"
	;;
esac

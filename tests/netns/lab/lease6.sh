#!/bin/sh
# What a phone does with what a DHCPv6 server tells it; dhclient calls this. $SAID is a file.
env >>"$SAID"

#!/bin/sh
# An authority's own checkpoint, as a program: it refuses redemptions of more than LIMIT units and
# assets that are on its own list. The public part of the transfer comes as one line of JSON on
# standard input; the answer goes to standard output. Plain POSIX shell: nothing to install.
#
#   [checkpoint]
#   program = "only-small-redemptions.sh"
#   arguments = ["1000", "blocked-assets.txt"]
#   checkpoints = ["ownership"]
set -eu
limit=$1
list=${2:-/dev/null}
case=$(cat)

# The value of a field that is a number or text. The format has no nested names.
field() {
    printf '%s\n' "$case" | sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

asset=$(field asset)
redeemed=$(field redeemed)

if [ -z "$asset" ] || [ -z "$redeemed" ]; then
    # An error is no answer, and no answer is a rejection.
    exit 1
fi
if grep -qxF "$asset" "$list"; then
    echo '{"verdict":"reject","code":2001,"message":"this authority does not serve the asset"}'
elif [ "$redeemed" -gt "$limit" ]; then
    echo '{"verdict":"reject","code":2002,"message":"the redemption is above the limit of this authority"}'
else
    echo '{"verdict":"approve"}'
fi

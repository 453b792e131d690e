#!/bin/sh
# Create the bucket, the policies, and the identities with their keys, in SeaweedFS. The script can run
# again: it creates what is missing, rewrites policies, and detaches policies that an identity has lost.
#
# MASTER, FILER  their addresses, as `weed shell` takes them
# BUCKET         the bucket's name
# POLICIES       a folder with NAME.json, `identities` with lines like "IDENTITY POLICY...", and of each
#                tenant `identities.TENANT` like it and `buckets.TENANT` with the bucket of its store
# IDENTITIES     a folder with IDENTITY.access-key and IDENTITY.secret-key
set -eu

identities() {
    cat "$POLICIES"/identities*
}

# Every bucket, once.
buckets() {
    for file in "$POLICIES"/buckets.*; do
        # Without tenants, the pattern itself is what comes.
        if [ -f "$file" ]; then cat "$file"; fi
    done | { echo "$BUCKET"; cat; } | sort -u
}

shell() {
    weed shell -master="$MASTER" -filer="$FILER"
}

questions() {
    echo s3.bucket.list
    identities | while read -r identity _; do
        echo "s3.user.show -name $identity"
    done
}

# Print the commands that lead from $state to the desired state.
commands() {
    for bucket in $(buckets); do
        if ! echo "$state" | grep -qE "^ *$bucket[[:space:]]"; then
            echo "s3.bucket.create -name $bucket"
        fi
    done
    for file in "$POLICIES"/*.json; do
        echo "s3.policy -put -name=$(basename "$file" .json) -file=$file"
    done
    identities | while read -r identity policies; do
        shown=$(echo "$state" | grep -F "\"name\":\"$identity\"" || true)
        keys_of "$identity" "$shown"
        policies_of "$identity" "$policies" "$shown"
    done
}

keys_of() {
    access_key=$(cat "$IDENTITIES/$1.access-key")
    keys="-access_key $access_key -secret_key $(cat "$IDENTITIES/$1.secret-key")"
    if [ -z "$2" ]; then
        echo "s3.user.create -name $1 $keys"
    elif ! echo "$2" | grep -qF "\"access_key\":\"$access_key\""; then
        echo "s3.accesskey.create -user $1 $keys"
    fi
}

policies_of() {
    for policy in $2; do
        echo "s3.policy.attach -policy $policy -user $1"
    done
    for policy in $(echo "$3" | sed -n 's/.*"policies":\[\([^]]*\)\].*/\1/p' | tr -d '"' | tr ',' ' '); do
        case " $2 " in
            *" $policy "*) ;;
            *) echo "s3.policy.detach -policy $policy -user $1" ;;
        esac
    done
}

# Asking for an identity that does not exist yet is an error.
state=$(questions | shell 2>/dev/null || true)
# The shell prints the secrets of new keys, so its output is discarded. Errors go to standard error.
commands | shell >/dev/null
echo "buckets $(buckets | tr '\n' ' '); identities and their policies:"
identities

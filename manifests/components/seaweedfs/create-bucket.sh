#!/bin/sh
# Create the bucket, the policies, and the identities with their keys, in SeaweedFS. The script can run
# again: it creates what is missing, rewrites policies, and detaches policies that an identity has lost.
#
# MASTER, FILER  their addresses, as `weed shell` takes them
# BUCKET         the bucket's name
# POLICIES       a folder with NAME.json, and `identities` with lines like "IDENTITY POLICY..."
# IDENTITIES     a folder with IDENTITY.access-key and IDENTITY.secret-key
set -eu

shell() {
    weed shell -master="$MASTER" -filer="$FILER"
}

questions() {
    echo s3.bucket.list
    while read -r identity _; do
        echo "s3.user.show -name $identity"
    done <"$POLICIES/identities"
}

# Print the commands that lead from $state to the desired state.
commands() {
    if ! echo "$state" | grep -qE "^ *$BUCKET[[:space:]]"; then
        echo "s3.bucket.create -name $BUCKET"
    fi
    for file in "$POLICIES"/*.json; do
        echo "s3.policy -put -name=$(basename "$file" .json) -file=$file"
    done
    while read -r identity policies; do
        shown=$(echo "$state" | grep -F "\"name\":\"$identity\"" || true)
        keys_of "$identity" "$shown"
        policies_of "$identity" "$policies" "$shown"
    done <"$POLICIES/identities"
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
echo "bucket $BUCKET; identities and their policies:"
cat "$POLICIES/identities"

#!/bin/sh
# Makes the bucket, the policies, and the identities with their keys, in SeaweedFS. It may run again:
# it makes what is missing, writes policies anew, and takes away policies that an identity has lost.
#
# MASTER, FILER  where they listen, as `weed shell` takes them
# BUCKET         the bucket's name
# POLICIES       a folder with NAME.json, and `identities` with lines like "IDENTITY POLICY..."
# IDENTITIES     a folder with IDENTITY.access-key and IDENTITY.secret-key
set -eu

run() {
    printf '%s\n' "$1" | weed shell -master="$MASTER" -filer="$FILER"
}

if ! run s3.bucket.list | grep -qE "^ *$BUCKET[[:space:]]"; then
    run "s3.bucket.create -name $BUCKET"
fi

for file in "$POLICIES"/*.json; do
    run "s3.policy -put -name=$(basename "$file" .json) -file=$file"
done

while read -r identity policies; do
    access_key=$(cat "$IDENTITIES/$identity.access-key")
    secret_key=$(cat "$IDENTITIES/$identity.secret-key")
    keys="-access_key $access_key -secret_key $secret_key"
    if ! shown=$(run "s3.user.show -name $identity" 2>/dev/null); then
        run "s3.user.create -name $identity $keys" >/dev/null
        shown=
    elif ! printf '%s' "$shown" | grep -qF "\"access_key\":\"$access_key\""; then
        # A key that was changed. It prints the secret, so nobody may see what it prints.
        run "s3.accesskey.create -user $identity $keys" >/dev/null
    fi
    for policy in $policies; do
        run "s3.policy.attach -policy $policy -user $identity" >/dev/null
    done
    attached=$(printf '%s' "$shown" | sed -n 's/.*"policies":\[\([^]]*\)\].*/\1/p' | tr -d '"' | tr ',' ' ')
    for policy in $attached; do
        case " $policies " in
            *" $policy "*) ;;
            *) run "s3.policy.detach -policy $policy -user $identity" >/dev/null ;;
        esac
    done
    echo "$identity: $policies"
done <"$POLICIES/identities"

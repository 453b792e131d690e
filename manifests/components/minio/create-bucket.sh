#!/bin/sh
# Create the bucket, the policies, and the users with their keys, in MinIO. The script can run again:
# it creates what is missing and rewrites the policies. In MinIO, a user's name is its access key.
#
# ENDPOINT                            like https://minio.example.com
# ADMIN_ACCESS_KEY, ADMIN_SECRET_KEY  of someone who may create users
# BUCKET                              the bucket's name
# POLICIES    a folder with NAME.json, `identities` with lines like "IDENTITY POLICY...", and of each
#             tenant `identities.TENANT` like it and `buckets.TENANT` with the bucket of its store
# IDENTITIES  a folder with IDENTITY.access-key and IDENTITY.secret-key
set -eu

mc alias set store "$ENDPOINT" "$ADMIN_ACCESS_KEY" "$ADMIN_SECRET_KEY" >/dev/null
mc mb --ignore-existing "store/$BUCKET"
for file in "$POLICIES"/buckets.*; do
    # Without tenants, the pattern itself is what comes.
    if [ -f "$file" ]; then mc mb --ignore-existing "store/$(cat "$file")"; fi
done

for file in "$POLICIES"/*.json; do
    name=${file##*/}
    mc admin policy create store "nasoa-${name%.json}" "$file"
done

cat "$POLICIES"/identities* | while read -r identity policies; do
    access_key=$(cat "$IDENTITIES/$identity.access-key")
    mc admin user add store "$access_key" "$(cat "$IDENTITIES/$identity.secret-key")" >/dev/null
    for policy in $policies; do
        # Attaching a policy that is already attached is an error.
        if ! said=$(mc admin policy attach store "nasoa-$policy" --user "$access_key" 2>&1); then
            case $said in
                *"already in effect"*) ;;
                *) echo "$said" >&2; exit 1 ;;
            esac
        fi
    done
    echo "$identity: $policies"
done

#!/bin/sh
# Makes the image `go` that this repository's own lanes run in: the default
# lane image, this machine's Go and the modules of go.mod, so that the lanes
# need no network. Run it again after a change of go.mod.
# usage: .pushlane/go-image.sh [PROJECT]
set -eu
cd "$(dirname "$0")/.."
project=${1:-pushlane}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "==> export the default image"
incus image export default "$work/image" --project "$project" >/dev/null
unsquashfs -q -n -d "$work/root" "$work/image.root" >/dev/null
echo "==> add Go and the modules"
cp -a "$(go env GOROOT)" "$work/root/usr/local/go"
go mod download
mkdir -p "$work/root/usr/local/share/go-modules"
cp -a "$(go env GOMODCACHE)/cache/download/." "$work/root/usr/local/share/go-modules/"
chmod -R a+rX "$work/root/usr/local"
echo "==> import the image go"
mksquashfs "$work/root" "$work/new.root" -quiet -no-progress -noappend -comp zstd >/dev/null
! incus image show go --project "$project" >/dev/null 2>&1 || incus image delete go --project "$project"
incus image import "$work/image" "$work/new.root" --alias go --project "$project" >/dev/null
echo "the image go is there: pushlane run --all"

#!/bin/sh
# Builds expat's xmlwf, unchanged, out of Debian's source package:
#   xmlwf.sh OUT.wasm
# Nothing of the machine's own package lists is changed.
set -eu
out=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p sources lists/partial source
cat /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2> /dev/null > all || true
# Both spellings of a list of package sources.
sed -n '/^Types: /s/.*/Types: deb-src/
/^\(Types\|URIs\|Suites\|Components\|Signed-By\):/p; /^$/p' all > sources/debian.sources
sed -n 's/^deb \(.*debian.*\)/deb-src \1/p' all > sources/debian.list
set -- -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/sources" -o Dir::State::Lists="$work/lists"
apt-get "$@" update
apt-get "$@" source --tar-only --download-only expat
tar -xf expat_*.orig.tar.* -C source --strip-components=1
cd source/expat

# What configure would find out. The sandbox has no entropy worth the name, and
# a module that judges one push needs none.
printf '#define %s\n' 'BYTEORDER 1234' 'HAVE_UNISTD_H 1' 'XML_NS 1' 'XML_DTD 1' \
	'XML_CONTEXT_BYTES 1024' 'XML_POOR_ENTROPY 1' > expat_config.h
clang --target=wasm32-wasi -O2 -w -D_WASI_EMULATED_GETPID -I. -Ilib -o "$out" \
	lib/xmlparse.c lib/xmlrole.c lib/xmltok.c xmlwf/xmlwf.c xmlwf/xmlfile.c xmlwf/codepage.c xmlwf/readfilemap.c \
	-lwasi-emulated-getpid

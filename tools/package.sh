#!/usr/bin/env bash
# Makes dist/millstream_<version>_<arch>.deb and dist/millstream-<version>-linux-<arch>.tar.gz from
# build/release. `./mill package` builds first.
#
# The .deb depends on Debian's libraries, as dpkg-shlibdeps finds them. The tarball carries every
# library that is not glibc's own beside the binary (its run path is $ORIGIN/../lib), so it runs on
# any distribution with glibc 2.36 or later.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

binary=build/release/src/server/millstream
version=$("$binary" version | awk '{ print $2 }')
architecture=$(dpkg --print-architecture)
stage=build/package
rm -rf "$stage"
mkdir -p "$stage" dist

# -- .deb
root=$stage/deb
install -D -m 0755 "$binary" "$root/usr/bin/millstream"
strip --strip-unneeded "$root/usr/bin/millstream"
install -D -m 0644 packaging/millstream.service "$root/lib/systemd/system/millstream.service"
install -D -m 0640 packaging/millstream.toml "$root/etc/millstream/millstream.toml"
install -D -m 0644 README.md "$root/usr/share/doc/millstream/README.md"
install -D -m 0644 packaging/copyright "$root/usr/share/doc/millstream/copyright"
gzip -9 -n -c CHANGELOG.md | install -D -m 0644 /dev/stdin "$root/usr/share/doc/millstream/CHANGELOG.md.gz"
# dpkg's form of it, for tools that look for one.
printf 'millstream (%s) stable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- Millstream maintainers <maintainers@millstream.invalid>  %s\n' \
  "$version" "$(date -R -r CHANGELOG.md)" | gzip -9 -n | install -D -m 0644 /dev/stdin "$root/usr/share/doc/millstream/changelog.gz"
# dpkg-shlibdeps wants a source package's control file beside it.
mkdir -p "$stage/debian"
printf 'Source: millstream\n\nPackage: millstream\nArchitecture: any\n' >"$stage/debian/control"
depends=$(cd "$stage" && dpkg-shlibdeps -O deb/usr/bin/millstream 2>/dev/null | sed 's/^shlibs:Depends=//')
[[ -n $depends ]]
mkdir -p "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<CONTROL
Package: millstream
Version: $version
Architecture: $architecture
Maintainer: Millstream maintainers <maintainers@millstream.invalid>
Installed-Size: $(du -ks "$root" | cut -f1)
Depends: adduser, $depends
Section: net
Priority: optional
Description: real-time streams that speak Amazon Kinesis
 One server process and one data directory: unmodified Kinesis clients create
 streams, put records and read them back, durably, in order.
CONTROL
echo /etc/millstream/millstream.toml >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 0755 "packaging/$script" "$root/DEBIAN/$script"; done
deb=dist/millstream_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$root" "$deb" >/dev/null

# -- tarball
name=millstream-$version-linux-$(uname -m)
folder=$stage/$name
install -D -m 0755 "$root/usr/bin/millstream" "$folder/bin/millstream"
mkdir -p "$folder/lib"
ldd "$binary" | awk '$3 ~ /^\// { print $3 }' | while read -r library; do
  case $(basename "$library") in
    libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | libresolv.so.* | ld-linux*) ;;
    *) install -m 0644 "$library" "$folder/lib/" ;;
  esac
done
install -m 0644 README.md LICENSE CHANGELOG.md packaging/millstream.toml packaging/millstream.service "$folder/"
tarball=dist/$name.tar.gz
tar -C "$stage" --owner=0 --group=0 --sort=name -czf "$tarball" "$name"

ls -l "$deb" "$tarball" >&2

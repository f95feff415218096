# The image of a lane's container, for `incus image import`: a metadata tarball
# and a squashfs. Everything comes in as an argument and little of pkgs is
# used, so that it can be built without nixpkgs too (minimal-pkgs.nix). The same
# arguments give the same bits.
#
# Gives { meta; rootfs; image; }. image is a folder of both files and the
# fingerprint that Incus will give them.
{
  pkgs,
  name ? "default",
  description ? "pushlane lane image ${name}",
  # Their bin folders make the PATH, the first one wins. busybox comes last.
  contents ? with pkgs; [
    bashInteractive
    coreutils
    diffutils
    findutils
    gitMinimal
    gnugrep
    gnumake
    gnused
    gnutar
    gzip
    cacert
  ],
}:
let
  arch = builtins.head (builtins.match "([^-]+)-.*" pkgs.stdenv.hostPlatform.system);
  packages = contents ++ [ pkgs.busybox ];

  metadata = pkgs.writeText "metadata.yaml" ''
    architecture: ${arch}
    creation_date: 1
    properties:
      os: pushlane
      name: ${name}
      architecture: ${arch}
      description: ${builtins.toJSON description}
  '';

  # Process 1 reaps orphans, and leaves when Incus asks it to (SIGPWR).
  init = pkgs.writeText "init" ''
    #!/bin/busybox sh
    leave() {
      trap : PWR TERM INT
      kill -TERM -1 2>/dev/null
      tries=20
      while [ "$tries" -gt 0 ] && kill -0 -1 2>/dev/null; do
        /bin/busybox usleep 100000
        tries=$((tries - 1))
      done
      exit 0
    }
    trap leave PWR TERM INT
    while :; do
      /bin/busybox sleep 86400 &
      wait "$!"
    done
  '';

  # An address for a lane that was given a network.
  dhcp = pkgs.writeText "default.script" ''
    #!/bin/busybox sh
    [ "$1" = bound ] || [ "$1" = renew ] || exit 0
    /bin/busybox ip addr add "$ip/''${mask:-24}" dev "$interface"
    for gw in $router; do
      /bin/busybox ip route add default via "$gw" dev "$interface" && break
    done
    for ns in $dns; do echo "nameserver $ns"; done >/etc/resolv.conf
  '';

  passwd = pkgs.writeText "passwd" ''
    root:x:0:0:root:/root:/bin/sh
    lane:x:1000:1000:lane:/home/lane:/bin/sh
    nobody:x:65534:65534:nobody:/:/bin/false
  '';

  group = pkgs.writeText "group" ''
    root:x:0:
    lane:x:1000:
    nogroup:x:65534:
  '';

  hosts = pkgs.writeText "hosts" ''
    127.0.0.1 localhost
    ::1 localhost
  '';

  # Owner, times and order never depend on who builds where.
  # Called by path: a busybox shell would take its own tar.
  tar = "${pkgs.gnutar}/bin/tar --sort=name --mtime=@1 --numeric-owner --hard-dereference --format=gnu";

  meta = pkgs.runCommand "${name}-incus.tar.xz" { } ''
    cp ${metadata} metadata.yaml
    chmod 644 metadata.yaml
    ${tar} --owner=0 --group=0 -cf metadata.tar metadata.yaml
    ${pkgs.xz}/bin/xz -T1 -6 <metadata.tar >$out
  '';

  rootfs = pkgs.runCommand "${name}-rootfs.squashfs" {
    # One file per package, naming all store paths it needs.
    exportReferencesGraph = builtins.concatLists (
      builtins.genList (i: [
        "closure-${toString i}"
        (builtins.elemAt packages i)
      ]) (builtins.length packages)
    );
  } ''
    umask 022
    mkdir root
    cd root
    mkdir -p bin dev etc/ssl/certs home/lane proc root run sys tmp usr/share/udhcpc var/tmp work
    ln -s bin sbin
    ln -s ../bin usr/bin
    ln -s ../bin usr/sbin
    ln -s ../run var/run

    for package in ${toString packages}; do
      for program in $package/bin/*; do
        target=bin/''${program##*/}
        [ -e "$target" ] || [ -L "$target" ] || ln -s "$program" "$target"
      done
      bundle=$package/etc/ssl/certs/ca-bundle.crt
      [ ! -e "$bundle" ] || for as in ca-bundle.crt ca-certificates.crt; do
        ln -sf "$bundle" "etc/ssl/certs/$as"
      done
    done
    rm -f bin/init
    cp ${init} bin/init
    cp ${dhcp} usr/share/udhcpc/default.script
    chmod 755 bin/init usr/share/udhcpc/default.script

    cp ${passwd} etc/passwd
    cp ${group} etc/group
    cp ${hosts} etc/hosts
    chmod 644 etc/passwd etc/group etc/hosts
    # Incus writes or binds these at start and wants them to exist.
    : >etc/hostname
    : >etc/resolv.conf

    sort -u ../closure-* | grep "^${builtins.storeDir}/" | while read -r path; do
      mkdir -p ".''${path%/*}"
      cp -a "$path" ".$path"
    done
    chmod 700 root
    chmod 1777 tmp var/tmp

    ${tar} --owner=0 --group=0 --exclude=home/lane -cf ../root.tar *
    ${tar} --owner=1000 --group=1000 -rf ../root.tar home/lane
    unset SOURCE_DATE_EPOCH
    ${pkgs.squashfsTools}/bin/mksquashfs - $out -tar -comp zstd -no-xattrs -exit-on-error \
      -mkfs-time 1 -all-time 1 -root-mode 755 -root-uid 0 -root-gid 0 -no-progress -quiet <../root.tar
  '';

  image = pkgs.runCommand "${name}-lane-image" { } ''
    mkdir $out
    ln -s ${meta} $out/incus.tar.xz
    ln -s ${rootfs} $out/rootfs.squashfs
    cat ${meta} ${rootfs} | sha256sum | cut -d ' ' -f 1 >$out/fingerprint
  '';
in
{
  inherit meta rootfs image;
}

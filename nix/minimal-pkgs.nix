# As much of nixpkgs as image.nix asks for, made of four programs of the machine
# it runs on: no nixpkgs, no network. The programs may be linked to the
# machine's libraries (busybox may not), so builds run without Nix's sandbox.
{
  busybox, # a static one, as a file named busybox; it ends up in the image
  mksquashfs,
  tar, # GNU tar
  xz,
  system ? builtins.currentSystem,
}:
let
  fromMachine = name: file: builtins.path { inherit name; path = file; };

  # busybox goes by the name it is called by, which in the store must stay
  # "busybox": so it is imported as a folder with that one file in it.
  folder = builtins.path {
    name = "busybox";
    path = dirOf busybox;
    filter = path: _: baseNameOf path == "busybox";
  };
  shell = "${folder}/busybox";

  build =
    name: attrs: script:
    derivation (
      attrs
      // {
        inherit name system;
        builder = shell;
        args = [
          "sh"
          "-euc"
          script
        ];
      }
    );

  busyboxPackage = build "busybox" { } ''
    ${shell} mkdir -p $out/bin
    ${shell} cp ${shell} $out/bin/busybox
    for applet in $(${shell} --list); do
      [ "$applet" = busybox ] || ${shell} ln -s busybox "$out/bin/$applet"
    done
  '';

  program =
    name: file:
    build name { PATH = "${busyboxPackage}/bin"; } ''
      mkdir -p $out/bin
      ln -s ${fromMachine name file} $out/bin/${name}
    '';
in
{
  stdenv.hostPlatform.system = system;

  busybox = busyboxPackage;
  squashfsTools = program "mksquashfs" mksquashfs;
  gnutar = program "tar" tar;
  xz = program "xz" xz;

  writeText = builtins.toFile;

  runCommand = name: attrs: build name (attrs // { PATH = "${busyboxPackage}/bin"; });
}

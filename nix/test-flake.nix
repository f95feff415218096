# The shape of the flake's outputs, with a stand-in for nixpkgs: what can be
# looked at without one. The lane image is evaluated down to its derivation.
{
  busybox,
  mksquashfs,
  tar,
  xz,
}:
let
  nixpkgs.legacyPackages = builtins.listToAttrs (
    map
      (system: {
        name = system;
        value = packagesOf system;
      })
      [
        "x86_64-linux"
        "aarch64-linux"
      ]
  );

  packagesOf =
    system:
    let
      minimal = import ./minimal-pkgs.nix {
        inherit
          busybox
          mksquashfs
          tar
          xz
          system
          ;
      };
      standIns = builtins.listToAttrs (
        map
          (name: {
            inherit name;
            value = minimal.busybox;
          })
          [
            "bashInteractive"
            "cacert"
            "coreutils"
            "diffutils"
            "findutils"
            "git"
            "gitMinimal"
            "git-lfs"
            "gnugrep"
            "gnumake"
            "gnused"
            "go_1_26"
            "gopls"
            "gzip"
            "nix"
            "openssl"
            "shellcheck"
          ]
      );
    in
    standIns
    // minimal
    // {
      incus.client = minimal.busybox;
      mkShell = shell: shell;
      callPackage = file: more: import file (parts // more);
    };

  # What package.nix takes, each giving back what it was given.
  parts = {
    go_1_26 = "go";
    buildGoModule.override = _: package: package;
    lib = {
      trim = text: builtins.head (builtins.match "[[:space:]]*([^[:space:]]*)[[:space:]]*" text);
      fileset.toSource = source: source.fileset;
      fileset.unions = paths: map (p: if builtins.pathExists p then baseNameOf p else throw "${toString p} is missing") paths;
      licenses.asl20 = "Apache-2.0";
      platforms.linux = [ ];
    };
  };

  outputs = (import ./flake.nix).outputs {
    self = { };
    inherit nixpkgs;
  };
in
{
  outputs = builtins.attrNames outputs;
  systems = builtins.attrNames outputs.packages;
  packages = builtins.mapAttrs (_: builtins.attrNames) outputs.packages;
  images = builtins.mapAttrs (_: p: p.lane-image.drvPath) outputs.packages;
  shell = builtins.length outputs.devShells.x86_64-linux.default.packages;
  inherit (outputs.packages.x86_64-linux.pushlane) src subPackages vendorHash;
}

{
  description = "pushlane judges every git push";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      each =
        make:
        builtins.listToAttrs (
          map (system: {
            name = system;
            value = make nixpkgs.legacyPackages.${system};
          }) systems
        );
    in
    {
      packages = each (pkgs: rec {
        default = pushlane;
        pushlane = pkgs.callPackage ./package.nix { };
        lane-image = (import ./image.nix { inherit pkgs; }).image;
      });

      devShells = each (pkgs: {
        default = pkgs.mkShell {
          packages = with pkgs; [
            git
            git-lfs
            go_1_26
            gopls
            incus.client
            nix
            openssl
            shellcheck
            squashfsTools
          ];
        };
      });

      nixosModules.default = {
        imports = [ ./module.nix ];
        nixpkgs.overlays = [ (final: _: { pushlane = final.callPackage ./package.nix { }; }) ];
      };
    };
}

# image.nix with the packages of minimal-pkgs.nix: what the test builds.
{
  busybox,
  mksquashfs,
  tar,
  xz,
}:
import ./image.nix {
  pkgs = import ./minimal-pkgs.nix {
    inherit
      busybox
      mksquashfs
      tar
      xz
      ;
  };
  name = "minimal";
  contents = [ ];
}

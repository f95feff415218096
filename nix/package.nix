# pushlane, its hook client and the first-party plugins, laid out as install.sh
# does: bin/ and lib/pushlane/plugins/ under one prefix.
{
  lib,
  buildGoModule,
  go_1_26,
}:
let
  root = ../.;
  version = "0.1.0";
  # Every folder of plugins/ that has a manifest is one.
  plugins = builtins.filter (name: builtins.pathExists (../plugins + "/${name}/manifest.toml")) (
    builtins.attrNames (builtins.readDir ../plugins)
  );
in
(buildGoModule.override { go = go_1_26; }) {
  pname = "pushlane";
  inherit version;
  ldflags = [ "-X main.stamped=v${version}" ];

  src = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.unions [
      ../LICENSE
      ../go.mod
      ../go.sum
      ../hooks
      ../host
      ../lanes
      ../plugins
      ../sdk
    ];
  };

  # Of what `go mod vendor` writes. The test says when it is out of date.
  vendorHash = lib.trim (builtins.readFile ./vendor-hash);

  subPackages = [
    "host/cmd/pushlane"
    "host/cmd/pushlane-hook"
    "host/cmd/pushlane-plugin"
  ];
  env.CGO_ENABLED = 0;

  # The tests want git and an Incus; .ci/run is the place for them.
  doCheck = false;

  postInstall = ''
    mkdir -p $out/lib/pushlane/plugins
    for name in ${toString plugins}; do
      GOOS=wasip1 GOARCH=wasm go build -trimpath -o $name.raw ./plugins/$name
      $out/bin/pushlane plugin pack --manifest plugins/$name/manifest.toml \
        $name.raw $out/lib/pushlane/plugins/$name.wasm
    done
  '';

  # Tracebacks of plugins need their names.
  stripExclude = [ "lib/pushlane/plugins/*" ];

  meta = {
    description = "Judges every git push: its lanes run as Wasm plugins and in Incus containers";
    license = lib.licenses.asl20;
    mainProgram = "pushlane";
    platforms = lib.platforms.linux;
  };
}

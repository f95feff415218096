# The host of a git server: `pushlane serve` under the user that owns the
# repositories, and an Incus with a restricted project for the lanes.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.pushlane;
  toml = pkgs.formats.toml { };
in
{
  options.services.pushlane = {
    enable = lib.mkEnableOption "pushlane, which judges every git push";
    package = lib.mkPackageOption pkgs "pushlane" { };
    user = lib.mkOption {
      type = lib.types.str;
      default = "git";
      description = "The user that receive hooks run as; it must exist. It may use Incus, which makes it as good as root.";
    };
    project = lib.mkOption {
      type = lib.types.str;
      default = "pushlane";
      description = "The Incus project in which lanes run.";
    };
    pool = lib.mkOption {
      type = lib.types.str;
      default = "pushlane";
      description = "The storage pool of their disks.";
    };
    projectLimits = lib.mkOption {
      type = lib.types.attrsOf lib.types.str;
      default = {
        "limits.containers" = "48";
        "limits.memory" = "96GiB";
        "limits.processes" = "98304";
      };
      example."limits.disk" = "2TiB";
      description = ''
        What everything in the project may ask for together. It is the sum of the containers' limits, not of their
        use, so it may exceed the machine. limits.disk needs a pool that can count, such as btrfs or zfs.
      '';
    };
    writable = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ "-/srv/git" ];
      description = "What the host may write in addition to its state and cache: the repositories, for notes.";
    };
    settings = lib.mkOption {
      inherit (toml) type;
      default = { };
      example.limits.memory = "2GiB";
      description = "Further keys of /etc/pushlane/config.toml.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];

    environment.etc."pushlane/config.toml".source = toml.generate "pushlane.toml" (
      lib.recursiveUpdate {
        state = "/var/lib/pushlane";
        cache = "/var/cache/pushlane";
        incus = {
          inherit (cfg) project pool;
          socket = "/var/lib/incus/unix.socket";
        };
      } cfg.settings
    );

    # The hook client looks for the socket here.
    environment.sessionVariables.PUSHLANE_STATE = "/var/lib/pushlane";
    users.users.${cfg.user}.extraGroups = [ "incus-admin" ];

    systemd.services.pushlane = {
      description = "pushlane judges git pushes";
      wantedBy = [ "multi-user.target" ];
      after = [ "incus.service" ];
      wants = [ "incus.service" ];
      path = [ pkgs.git ];
      restartTriggers = [ config.environment.etc."pushlane/config.toml".source ];
      serviceConfig = {
        ExecStart = "${lib.getExe cfg.package} serve --policy /etc/pushlane/config.toml";
        User = cfg.user;
        StateDirectory = "pushlane";
        StateDirectoryMode = "0700";
        CacheDirectory = "pushlane";
        CacheDirectoryMode = "0700";
        Restart = "always";
        KillMode = "mixed";
        TimeoutStopSec = 60;
        UMask = "0077";
        # As host/pushlane.service, which gives the reasons.
        ProtectSystem = "strict";
        ReadWritePaths = cfg.writable;
        PrivateTmp = true;
        CapabilityBoundingSet = "";
        AmbientCapabilities = "";
        NoNewPrivileges = true;
        RestrictNamespaces = true;
        RestrictAddressFamilies = "AF_UNIX AF_INET AF_INET6";
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
        LockPersonality = true;
        SystemCallArchitectures = "native";
        SystemCallFilter = "@system-service @sandbox";
        SystemCallErrorNumber = "EPERM";
        PrivateDevices = true;
        DevicePolicy = "closed";
        ProtectClock = true;
        ProtectHostname = true;
        ProtectKernelLogs = true;
        ProtectKernelModules = true;
        ProtectKernelTunables = true;
        ProtectControlGroups = true;
      };
      environment.PUSHLANE_STATE = "/var/lib/pushlane";
    };

    virtualisation.incus = {
      enable = true;
      preseed = {
        storage_pools = [
          {
            name = cfg.pool;
            driver = "btrfs";
          }
        ];
        projects = [
          {
            name = cfg.project;
            config = cfg.projectLimits // {
              "features.images" = "true";
              "features.profiles" = "true";
              "features.storage.volumes" = "true";
              "features.networks" = "false";
              "restricted" = "true";
              "restricted.containers.privilege" = "isolated";
              "restricted.devices.nic" = "block";
              "limits.virtual-machines" = "0";
            };
          }
        ];
        # A project with limits refuses a container whose profile has none.
        profiles = [
          {
            name = "default";
            project = cfg.project;
            config = {
              "limits.memory" = "2GiB";
              "limits.processes" = "2048";
            };
            devices.root = {
              type = "disk";
              path = "/";
              inherit (cfg) pool;
              size = "10GiB";
            };
          }
        ];
      };
    };
    networking.nftables.enable = lib.mkDefault true; # Incus on NixOS asks for it
  };
}

// Package nix holds the flake: the pushlane package, the lane image and the
// NixOS module. Its Go part is only the test that builds the image with
// Debian's Nix and runs it in Incus.
package nix

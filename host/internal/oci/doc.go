// Package oci makes the file system of a container out of an image in an OCI
// registry, as one tar, without unpacking anything on this machine.
//
//	Parse----> a Name: registry, repository, tag or digest
//	Resolve--> the digest that the name means now
//	Inspect--> the manifest for this platform and its config
//	Fetch----> the layers, each checked against both of its digests
//	Merge----> one tree: whiteouts, owners, modes, hard links
//	Write----> the tree as a tar
//
// Layers are untrusted. No entry of a layer becomes a file on this machine: a
// layer is one temporary file, the tree is in memory, and the tar that comes out
// has clean names only. So no link, device or name of a layer can reach anything
// here, and no privilege is needed.
package oci

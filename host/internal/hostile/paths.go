package hostile

import "strings"

// Descriptors every module starts with.
const (
	srcFD = 3
	outFD = 6
)

const (
	create   = 1
	folder   = 2
	truncate = 8
	rightAll = int64(1<<29 - 1)
)

// files reach for what is not theirs, or for more than there is.
func files() []Attack {
	return append(escapes(), outFloods()...)
}

// opening tries to read paths below the source, one after the other.
func opening(paths ...string) func() []byte {
	const flags, rights = 0, int64(2)
	return func() []byte {
		p := newProgram("text", "path_open")
		var code []byte
		at := 0
		for _, path := range paths {
			p.put(int64(at), path)
			code = append(code, p.say("path_open", srcFD, 1, at, len(path), flags, rights, int64(0), 0, 59_000)...)
			at += len(path)
		}
		return p.main(code)
	}
}

func escapes() []Attack {
	onNames := func(names []string, code func(p *program) []byte) func() []byte {
		return func() []byte {
			p := newProgram("text", names...)
			p.put(0, "a../../../../etc/passwdlink")
			return p.main(code(p))
		}
	}
	const up, upLen, link = 1, 22, 23
	return []Attack{
		{ID: "path-up", About: "paths that lead up", Module: opening("..", "../..", "../src/a", "d/../../a",
			"d/../../../etc/passwd", "./.././a"), Want: `^exit 0:( 63){6}$`, Kind: Harmless},
		{ID: "path-absolute", About: "absolute paths", Module: opening("/etc/passwd", "//etc/passwd", "/",
			"/src/a"), Want: `^exit 0:( 63){4}$`, Kind: Harmless},
		{ID: "path-nul", About: "paths with a NUL in them",
			Module: opening("a\x00", "\x00", "a\x00/../../etc/passwd", ""), Want: `^exit 0: 28 28 28 44$`,
			Kind: Harmless},
		{ID: "path-4097", About: "a path of 4,097 bytes, and one of 2,000 folders",
			Module: opening(strings.Repeat("a", 4097), strings.Repeat("d/", 2000)+"b"),
			Want:   `^exit 0: 37 (44|54)$`, Kind: Harmless},
		{ID: "path-links", About: "links out of the tree, at the end of a path and on the way",
			Module: opening("link", "up", "up/etc/passwd", "link/x", "up/../a"),
			Want:   `^exit 0: 32 32 (32|54) (32|54) (00|32)$`, Kind: Harmless},
		{ID: "path-odd", About: "backslashes, drive letters, streams and bytes that are not text",
			Module: opening(`..\..\etc\passwd`, `C:\x`, "a:stream", "\xff\xfe", "a/"),
			Want:   `^exit 0: (44|28) (44|28) (44|28) (44|28) (00|54)$`, Kind: Harmless},
		{ID: "path-outside-memory", About: "paths that are not in memory",
			Module: onNames([]string{"path_open", "path_filestat_get", "path_readlink"}, func(p *program) []byte {
				return seq(p.say("path_open", 3, 0, -1, 4, 0, int64(2), int64(0), 0, 0),
					p.say("path_open", 3, 0, 65_535, 2, 0, int64(2), int64(0), 0, 0),
					p.say("path_open", 3, 0, 0, -1, 0, int64(2), int64(0), 0, 0),
					p.say("path_open", 3, 0, 0, 1, 0, int64(2), int64(0), 0, -1), p.say("path_filestat_get", 3, 0, 0, 1, 65_500),
					p.say("path_readlink", 3, link, 4, -1, 100, 0))
			}), Want: `^exit 0: 21 21 37 21 21 21$`, Kind: Harmless},
		{ID: "path-not-a-folder", About: "paths relative to a file, a stream and nothing",
			Module: onNames([]string{"path_open"}, func(p *program) []byte {
				open := func(fd int) []byte { return p.say("path_open", fd, 0, 0, 1, 0, int64(2), int64(0), 0, 59_000) }
				return seq(open(3), open(7), open(1), open(0), open(99), open(-1))
			}), Want: `^exit 0: 00 54 54 54 08 08$`, Kind: Harmless},
		{ID: "write-source", About: "writing, making and removing in the pushed tree",
			Module: onNames([]string{"path_open", "path_unlink_file", "path_create_directory", "path_rename"},
				func(p *program) []byte {
					return seq(p.say("path_open", 3, 0, 0, 1, truncate, rightAll, int64(0), 0, 59_000),
						p.say("path_open", 3, 0, link, 3, create, rightAll, int64(0), 0, 59_000),
						p.say("path_unlink_file", 3, 0, 1), p.say("path_create_directory", 3, link, 3),
						p.say("path_rename", 3, 0, 1, 6, 0, 1), p.say("path_rename", 6, 0, 1, 3, 0, 1))
				}), Want: `^exit 0: 69 69 69 69 69 (44|69)$`, Kind: Harmless},
		{ID: "rename-up", About: "moving and making files out of /out",
			Module: onNames([]string{"path_open", "path_rename", "path_create_directory"}, func(p *program) []byte {
				return seq(p.say("path_open", 6, 0, 0, 1, create, rightAll, int64(0), 0, 59_000),
					p.say("path_rename", 6, 0, 1, 6, up, upLen), p.say("path_create_directory", 6, up, upLen),
					p.say("path_rename", 6, 0, 1, 6, up, 1))
			}), Want: `^exit 0: 00 63 63 (31|63|28|02)$`, Kind: Harmless},
		{ID: "link-target", About: "where a link leads is text, and no way there",
			Module: onNames([]string{"path_readlink", "path_filestat_get"}, func(p *program) []byte {
				return seq(p.say("path_readlink", 3, link, 4, 1000, 100, 2000), p.say("path_filestat_get", 3, 1, link, 4, 1000),
					p.say("path_filestat_get", 3, 0, link, 4, 1000), p.say("path_readlink", 3, 0, 1, 1000, 100, 2000))
			}), Want: `^exit 0: 00 32 00 28$`, Kind: Harmless},
		{ID: "open-flood", About: "descriptors without an end",
			Module: onNames([]string{"path_open"}, func(p *program) []byte {
				args := []any{3, 0, 0, 1, 0, int64(2), int64(0), 0, 59_000}
				return seq(count(0, 20_000, p.host("path_open", args...), drop()), p.say("path_open", args...))
			}), Want: `^exit 0: 33$`, Kind: Harmless},
		{ID: "open-close-flood", About: "opening and closing for ever",
			Module: onNames([]string{"path_open", "fd_close"}, func(p *program) []byte {
				return forever(p.host("path_open", 3, 0, 0, 1, 0, int64(2), int64(0), 0, 59_000), drop(), p.host("fd_close", 7),
					drop())
			}), Want: tooMany, Kind: Stopped},
		{ID: "seek-far", About: "seeking before the start and beyond 2^63",
			Module: onNames([]string{"path_open", "fd_seek", "fd_pread"}, func(p *program) []byte {
				return seq(p.say("path_open", 3, 0, 0, 1, 0, int64(2), int64(0), 0, 59_000), p.say("fd_seek", 7, int64(-1), 0, 100),
					p.say("fd_seek", 7, int64(1<<63-1), 0, 100),
					p.say("fd_seek", 7, int64(1<<63-1), 1, 100), p.say("fd_seek", 7, int64(-1<<63), 2, 100),
					p.say("fd_seek", 7, int64(0), 9, 100), p.say("fd_pread", 7, 0, 0, int64(-1), 100))
			}), Want: `^exit 0: 00 28 00 28 28 28 28$`, Kind: Harmless},
		{ID: "readdir-cookie", About: "listing a folder from entry 2^64-1 on",
			Module: onNames([]string{"fd_readdir"}, func(p *program) []byte {
				return seq(p.say("fd_readdir", 3, 1000, 100, int64(-1), 2000),
					p.say("fd_readdir", 3, 1000, 100, int64(1<<40), 2000), p.say("fd_readdir", 3, 65_500, 100, int64(0), 2000),
					p.say("fd_readdir", 3, 1000, 0, int64(0), 2000))
			}), Want: `^exit 0: 00 00 21 00$`, Kind: Harmless},
	}
}

// outFloods fill the folder /out, which is in the host's own memory.
func outFloods() []Attack {
	// working opens /out/f as descriptor 7 and goes on.
	working := func(names []string, code func(p *program) []byte) func() []byte {
		return func() []byte {
			p := newProgram("text", append(names, "path_open")...)
			p.memory(32)
			p.put(0, "f")
			return p.main(p.host("path_open", outFD, 0, 0, 1, create, rightAll, int64(0), 0, 59_000), drop(), code(p))
		}
	}
	buffer := seq(store32(100, 65_536), store32(104, 1<<20))
	// named writes a number into the name at 200, from a local.
	named := func(local int) []byte { return seq(i32(200), get(local), i32(0x01010101), op(0x6a, 0x36, 2, 0)) }
	return []Attack{
		{ID: "out-bytes", About: "/out filled without an end", Module: working(nil, func(p *program) []byte {
			return seq(buffer, count(0, 1000, p.host("fd_write", 7, 100, 1, 200), drop()), p.say("fd_write", 7, 100, 1, 200))
		}), Want: `^exit 0: 51$`, Kind: Harmless},
		{ID: "out-files", About: "/out filled with files without an end",
			Module: working([]string{"fd_close"}, func(p *program) []byte {
				return seq(i32(1000), set(1), count(0, 5000, named(0),
					p.host("path_open", outFD, 0, 200, 4, create, rightAll, int64(0), 0, 59_000), drop(), p.host("fd_close", 8),
					drop()),
					p.say("path_open", outFD, 0, 200, 3, create, rightAll, int64(0), 0, 59_000))
			}), Want: `^exit 0: 51$`, Kind: Harmless},
		{ID: "out-folders", About: "/out filled with folders in folders",
			Module: working([]string{"path_create_directory"}, func(p *program) []byte {
				p.put(1000, strings.Repeat("d/", 2000))
				return seq(i32(1), set(1), count(0, 2000, p.host("path_create_directory", outFD, 1000, get(1)), drop(), get(1),
					i32(2), add(), set(1)),
					p.say("path_create_directory", outFD, 1000, 3001))
			}), Want: `^exit 0: (44|51)$`, Kind: Harmless},
		{ID: "out-sparse", About: "a byte written at 2^62 and a file cut to 2^62 bytes",
			Module: working([]string{"fd_pwrite", "fd_filestat_set_size", "fd_allocate"}, func(p *program) []byte {
				return seq(store32(100, 0), store32(104, 1), p.say("fd_pwrite", 7, 100, 1, int64(1<<62), 200),
					p.say("fd_pwrite", 7, 100, 1, int64(1<<63-1), 200), p.say("fd_pwrite", 7, 100, 1, int64(-1), 200),
					p.say("fd_filestat_set_size", 7, int64(1<<62)), p.say("fd_filestat_set_size", 7, int64(-1)),
					p.say("fd_allocate", 7, int64(0), int64(1<<62)))
			}), Want: `^exit 0: 51 51 28 51 28 58$`, Kind: Harmless},
		{ID: "out-shrunk", About: "60 files, each written to all there is and cut to nothing: memory that no one counts",
			Module: working([]string{"fd_filestat_set_size", "fd_close"}, func(p *program) []byte {
				return seq(p.host("fd_close", 7), drop(), buffer,
					count(0, 60, named(0), p.host("path_open", outFD, 0, 200, 4, create, rightAll, int64(0), 0, 59_000), drop(),
						p.host("fd_filestat_set_size", 7, int64(8<<20)), drop(), count(1, 8, p.host("fd_write", 7, 100, 1, 300), drop()),
						p.host("fd_filestat_set_size", 7, int64(0)), drop(), p.host("fd_close", 7), drop()),
					p.say("fd_close", 7))
			}), Want: `^exit 0: 08$`, Kind: Harmless},
		{ID: "out-removed", About: "files that are removed while they are open, and kept",
			Module: working([]string{"fd_filestat_set_size", "path_unlink_file"}, func(p *program) []byte {
				return seq(count(0, 200, p.host("path_open", outFD, 0, 0, 1, create, rightAll, int64(0), 0, 59_000), drop(),
					p.host("fd_filestat_set_size", load32(59_000), int64(1<<20)), drop(), p.host("path_unlink_file", outFD, 0, 1),
					drop()),
					p.say("path_open", outFD, 0, 0, 1, create, rightAll, int64(0), 0, 59_000))
			}), Want: `^exit 0: (33|51)$`, Kind: Harmless},
		{ID: "out-renamed", About: "a file moved over itself and over open ones",
			Module: working([]string{"path_rename", "path_unlink_file", "fd_renumber"}, func(p *program) []byte {
				p.put(10, "g")
				return seq(p.say("path_rename", outFD, 0, 1, outFD, 0, 1), p.say("path_rename", outFD, 0, 1, outFD, 10, 1),
					p.say("path_rename", outFD, 0, 1, outFD, 10, 1), p.say("path_unlink_file", outFD, 10, 1),
					p.say("fd_renumber", 7, 7), p.say("fd_renumber", 7, 8))
			}), Want: `^exit 0: 00 00 44 00 00 08$`, Kind: Harmless},
		{ID: "out-rewritten", About: "a file grown and cut for ever",
			Module: working([]string{"fd_filestat_set_size"}, func(p *program) []byte {
				return forever(p.host("fd_filestat_set_size", 7, int64(8<<20)), drop(), p.host("fd_filestat_set_size", 7, int64(0)),
					drop())
			}), Want: tooMany, Kind: Stopped},
	}
}

package hostile

import (
	"slices"
	"strings"
)

// program is a module that calls its host. Functions of the host come first,
// then say, then what is added.
type program struct {
	module
	index map[string]int // of a host function, by name
}

// sayAt is where say works; programs keep clear of the 32 bytes there.
const sayAt = 60_000

// newProgram imports functions: of lane1 by "lane1.call" and so on, of the
// system interface by their bare name.
func newProgram(output string, names ...string) *program {
	if !slices.Contains(names, "fd_write") {
		names = append(names, "fd_write")
	}
	p := &program{module: minimal(), index: map[string]int{}}
	p.manifest, p.funcs, p.bodies = manifest(output), nil, nil
	for i, n := range names {
		from, title, own := strings.Cut(n, ".")
		if !own {
			from, title = "wasi_snapshot_preview1", n
		}
		params, results, _ := strings.Cut(signature(n), ":")
		p.imports = append(p.imports, imported(from, title, 0, p.typ(params, results)))
		p.index[n] = i
	}
	p.function("i", 0, p.sayCode())
	p.exports = p.exports[1:]
	return p
}

// signature of a host function: parameters, a colon, results.
func signature(title string) string {
	return map[string]string{
		"args_get": "ii:i", "args_sizes_get": "ii:i", "environ_get": "ii:i", "environ_sizes_get": "ii:i",
		"clock_time_get": "iIi:i", "fd_allocate": "iII:i", "fd_close": "i:i", "fd_filestat_get": "ii:i",
		"fd_filestat_set_size": "iI:i",
		"fd_fdstat_get":        "ii:i", "fd_prestat_dir_name": "iii:i", "fd_pread": "iiiIi:i", "fd_pwrite": "iiiIi:i",
		"fd_read":    "iiii:i",
		"fd_readdir": "iiiIi:i", "fd_renumber": "ii:i", "fd_seek": "iIii:i", "fd_write": "iiii:i",
		"path_create_directory": "iii:i", "path_filestat_get": "iiiii:i", "path_link": "iiiiiii:i",
		"path_open":     "iiiiiIIii:i",
		"path_readlink": "iiiiii:i", "path_rename": "iiiiii:i", "path_symlink": "iiiii:i", "path_unlink_file": "iii:i",
		"poll_oneoff": "iiii:i", "proc_exit": "i:", "proc_raise": "i:i", "random_get": "ii:i", "sched_yield": ":i",
		"sock_accept": "iii:i",
		"lane1.call":  "iiiiii:I", "lane1.take": "ii:I", "lane1.read": "iii:I", "lane1.write": "iii:I",
		"lane1.wait":  "iiiI:i",
		"lane1.close": "i:i", "lane1.log": "iii:",
	}[title]
}

// typ gives the number of a type, added where it is new.
func (p *program) typ(params, results string) byte {
	t := funcType(params, results)
	for i, have := range p.types {
		if string(have) == string(t) {
			return byte(i)
		}
	}
	p.types = append(p.types, t)
	return byte(len(p.types) - 1)
}

// function adds one with that many locals of 32 bits behind its parameters.
func (p *program) function(params string, locals byte, code ...[]byte) int {
	p.funcs = append(p.funcs, p.typ(params, ""))
	p.bodies = append(p.bodies, body([]byte{1, locals, 0x7f}, code...))
	return len(p.imports) + len(p.funcs) - 1
}

// main adds _start, with eight locals, and gives the whole module.
func (p *program) main(code ...[]byte) []byte {
	p.exports = append(p.exports, export("_start", 0, byte(p.function("", 8, code...))))
	return p.bytes()
}

// host is a call of a host function. Arguments are numbers (int: 32 bits,
// int64: 64 bits) or code that leaves one.
func (p *program) host(title string, args ...any) []byte {
	var code []byte
	for _, a := range args {
		switch a := a.(type) {
		case int:
			code = append(code, i32(int64(a))...)
		case int64:
			code = append(code, i64(a)...)
		case []byte:
			code = append(code, a...)
		}
	}
	return append(code, call(p.index[title])...)
}

// say writes the number that a host function answered to standard output: a
// space or minus and two digits.
func (p *program) say(title string, args ...any) []byte {
	code := p.host(title, args...)
	if strings.HasSuffix(signature(title), ":I") {
		code = append(code, 0xa7) // i32.wrap_i64
	}
	return append(code, call(len(p.imports))...)
}

func (p *program) sayCode() []byte {
	digit := func(code ...[]byte) []byte { return seq(seq(code...), i32('0'), add()) }
	return seq(
		store8(sayAt, i32(' ')),
		get(0), i32(0), op(0x48), when(store8(sayAt, i32('-')), i32(0), get(0), op(0x6b), set(0)),
		store8(sayAt+1, digit(get(0), i32(10), op(0x6e), i32(10), op(0x70))),
		store8(sayAt+2, digit(get(0), i32(10), op(0x70))),
		store32(sayAt+8, sayAt), store32(sayAt+12, 3),
		p.host("fd_write", 1, sayAt+8, 1, sayAt+16), drop())
}

// print writes text to a descriptor.
func (p *program) print(fd int, at int64, text string) []byte {
	p.put(at, text)
	return seq(store32(sayAt+20, at), store32(sayAt+24, int64(len(text))), p.host("fd_write", fd, sayAt+20, 1, sayAt+16),
		drop())
}

// put places text in memory from the start.
func (p *program) put(at int64, text string) {
	p.data = append(p.data, seq(op(0), i32(at), op(0x0b), name(text)))
}

// memory sets how many pages there are from the start.
func (p *program) memory(pages uint32) { p.memories = [][]byte{append([]byte{0}, u32(pages)...)} }
